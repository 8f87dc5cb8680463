"""Build, judge, sign and publish Debian packages for several architectures."""

import re
from pathlib import Path


def _newest(top: Path) -> str:
    """Give the version of a source tree's newest changelog entry; packaging/debian is debian where debkit has staged it.

    What pip has installed has no changelog, and Python's own word for its version. Starts no process: every command asks.
    """
    for packaging in ("packaging/debian", "debian"):
        try:
            with (top / packaging / "changelog").open(encoding="utf-8") as changelog:
                entry = re.match(r"debkit \(([^)]+)\)", changelog.readline())
        except OSError:
            continue
        if entry:
            return entry[1]
    from importlib import metadata  # noqa: PLC0415  # it takes as long as all else

    return metadata.version("debkit")


def _as_python(version: str) -> str:
    """Give a Debian version as PEP 440 has it: 0.2~20261124.g4bef is 0.2.dev0+20261124.g4bef, which is before 0.2 there too."""
    found = re.match(r"[0-9]+(\.[0-9]+)*", version)
    number = found[0] if found else "0"
    rest = version.removeprefix(number)
    local = re.sub(r"[^a-z0-9]+", ".", rest.lower()).strip(".")
    return f"{number}{'.dev0' if rest.startswith('~') else ''}{f'+{local}' if local else ''}"


# The package build writes the package's own version here (packaging/debian/rules).
__version__ = _newest(Path(__file__).parents[1])
PYTHON_VERSION = _as_python(__version__)
