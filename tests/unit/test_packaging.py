"""What the Debian package is made of, held to the code."""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PACKAGING = next(path for path in (CHECKOUT / "packaging/debian", CHECKOUT / "debian") if path.is_dir())  # as debkit stages it


def test_the_installed_packages_test_looks_at_every_program_beside_the_code() -> None:
    settings = configparser.ConfigParser()
    settings.read(CHECKOUT / "setup.cfg")
    data = (".json", ".typed", ".c", ".h", "-options", ".toml")
    shipped = {name for name in settings["options.package_data"]["debkit"].split() if not name.endswith(data)}
    programs = {
        path.relative_to(CHECKOUT / "debkit").as_posix()
        for path in (CHECKOUT / "debkit").rglob("*")
        if path.is_file() and os.access(path, os.X_OK)
    }
    assert shipped == programs
    script = (PACKAGING / "tests/installed").read_text()
    (named,) = re.findall(r"^for helper in (.*); do$", script, flags=re.MULTILINE)
    assert set(named.split()) == programs
