"""`config/debkit.toml`: what it says, read and validated. All keys are optional.

Paths in the file are relative to the project, the directory that holds `config/`.
"""

from debkit.config.read import SCHEMA, SECONDS, Names, base_suite, codename, known_suites, load, parse_names, rooms, seconds
from debkit.config.sections import (
    ArchiveConfig,
    BuildConfig,
    ChecksConfig,
    ChrootConfig,
    Config,
    EquivalenceConfig,
    KeysConfig,
    LintianConfig,
    Probe,
    ServiceConfig,
    SourceConfig,
    Suppression,
    VulnerabilitiesConfig,
)

__all__ = [
    "SCHEMA",
    "SECONDS",
    "ArchiveConfig",
    "BuildConfig",
    "ChecksConfig",
    "ChrootConfig",
    "Config",
    "EquivalenceConfig",
    "KeysConfig",
    "LintianConfig",
    "Names",
    "Probe",
    "ServiceConfig",
    "SourceConfig",
    "Suppression",
    "VulnerabilitiesConfig",
    "base_suite",
    "codename",
    "known_suites",
    "load",
    "parse_names",
    "rooms",
    "seconds",
]
