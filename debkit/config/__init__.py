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
    PiupartsConfig,
    Probe,
    ReproducibleConfig,
    ServiceConfig,
    SourceConfig,
    Suppression,
    Unvaried,
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
    "PiupartsConfig",
    "Probe",
    "ReproducibleConfig",
    "ServiceConfig",
    "SourceConfig",
    "Suppression",
    "Unvaried",
    "VulnerabilitiesConfig",
    "base_suite",
    "codename",
    "known_suites",
    "load",
    "parse_names",
    "rooms",
    "seconds",
]
