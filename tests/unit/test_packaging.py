"""What the Debian package is made of, held to the code."""

from __future__ import annotations

import configparser
import hashlib
import os
import re
from pathlib import Path

from debkit.accel import dispatcher

CHECKOUT = Path(__file__).parents[2]
PACKAGING = next(path for path in (CHECKOUT / "packaging/debian", CHECKOUT / "debian") if path.is_dir())  # as debkit stages it


def test_the_installed_packages_test_looks_at_every_program_beside_the_code() -> None:
    settings = configparser.ConfigParser()
    settings.read(CHECKOUT / "setup.cfg")
    data = (".json", ".typed", ".c", ".h", "-options", ".toml", ".jinja")
    shipped = {name for name in settings["options.package_data"]["debkit"].split() if not name.endswith(data)}
    programs = {
        path.relative_to(CHECKOUT / "debkit").as_posix()
        for path in (CHECKOUT / "debkit").rglob("*")
        if path.is_file() and os.access(path, os.X_OK)
    }
    assert shipped == programs
    script = (PACKAGING / "tests/installed").read_text()
    (named,) = re.findall(r"^for helper in (.*?); do$", script, flags=re.MULTILINE | re.DOTALL)
    assert set(named.replace("\\\n", "").split()) == programs


def test_the_package_build_names_a_dispatcher_as_debkit_does() -> None:
    rules = (PACKAGING / "rules").read_text()
    (patterns,) = re.findall(r"\$\(wildcard (.*?)\)", rules)
    files = sorted(path for pattern in patterns.split() for path in CHECKOUT.glob(pattern))
    assert {path.name for path in files} >= {"dispatch.c", "decide.h", "gcc-options"}
    assert hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest() == dispatcher.sources()
