from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.errors import ConfigError
from debkit.keys import settings

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "A" * 40, "B" * 40
TOML = f"""\
# ours
[keys]
upload = "{OLD}" # who uploads
  archive="{OLD}"

# the archive
[archive]
name = "tools"
archive = "not a key"
"""


def test_only_the_settings_that_change_are_written(tmp_path: Path) -> None:
    file = tmp_path / "debkit.toml"
    file.write_text(TOML.replace('archive = "not a key"\n', ""))
    file.chmod(0o664)
    settings.write_keys(file, {"archive": NEW, "also": (OLD,), "also-until": "2027-02-25"})
    assert file.read_text() == (
        f'# ours\n[keys]\narchive = "{NEW}"\nalso = ["{OLD}"]\nalso-until = "2027-02-25"\n'
        f'upload = "{OLD}" # who uploads\n\n# the archive\n[archive]\nname = "tools"\n'
    )
    assert file.stat().st_mode & 0o777 == 0o664
    settings.write_keys(file, {"also": None, "also-until": None})
    assert "also" not in file.read_text()
    assert f'[keys]\nupload = "{OLD}" # who uploads\narchive = "{NEW}"\n' not in file.read_text()
    assert f'archive = "{NEW}"\nupload = "{OLD}"' in file.read_text()


def test_a_table_of_the_same_key_elsewhere_is_left_alone() -> None:
    new = settings.changed(TOML, {"archive": NEW})
    assert new is not None
    assert 'archive = "not a key"' in new


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[archive]\nname = 'x'\n",
        'keys.archive = "A"\n',
        '[keys]\nalso = [\n  "A",\n]\n',
        '[keys]\nupload = """\nalso = 1\n"""\n',
    ],
)
def test_what_is_written_otherwise_is_left_to_people(tmp_path: Path, text: str) -> None:
    file = tmp_path / "debkit.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="cannot be changed by debkit") as caught:
        settings.write_keys(file, {"archive": NEW, "also": (OLD,)})
    assert caught.value.excerpt == (f'archive = "{NEW}"', f'also = ["{OLD}"]')
    assert file.read_text() == text
    with pytest.raises(ConfigError):
        settings.write_keys(tmp_path / "none", {"archive": NEW})


def test_a_new_key_may_upload_what_the_old_one_may(tmp_path: Path) -> None:
    file = tmp_path / "uploaders"
    rules = (
        f"# allow * by key {OLD[-16:]}+\nallow * by key {OLD[-16:]}+\n"
        f"allow source 'x' by key 0x{OLD[-8:].lower()}\ngroup ours add {OLD[-16:]}+"
    )
    file.write_text(rules)
    assert settings.let_in(file, OLD, NEW)
    added = f"allow * by key {NEW[-16:]}+\nallow source 'x' by key {NEW[-16:]}\ngroup ours add {NEW[-16:]}+\n"
    assert file.read_text() == f"{rules}\n{added}"
    assert not settings.let_in(file, OLD, NEW)
    assert settings.shut_out(file, OLD)
    assert file.read_text() == f"# allow * by key {OLD[-16:]}+\n{added}"
    assert not settings.shut_out(file, OLD)
    assert not settings.let_in(tmp_path / "none", OLD, NEW)
    assert not settings.shut_out(tmp_path / "none", OLD)
