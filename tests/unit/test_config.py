from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from debkit import config
from debkit.config import Suppression, Unvaried, read
from debkit.errors import ConfigError
from debkit.model import Variation

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[2]


def write(project: Path, text: str) -> Path:
    (project / "config").mkdir(parents=True, exist_ok=True)
    (project / "config" / "debkit.toml").write_text(text)
    return project


def test_a_project_without_a_file_has_the_defaults(tmp_path: Path) -> None:
    assert config.load(tmp_path) == config.Config(project=tmp_path)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path, tmp_path / "other.toml")


def test_what_is_right_is_validated_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = tmp_path / "schema.json"
    shutil.copy(config.SCHEMA, schema)
    monkeypatch.setattr(read, "SCHEMA", schema)
    (tmp_path / "key.gpg").touch()
    right = '[archive]\nname = "mine"\n[source]\nkeyring = "key.gpg"\n'
    loaded = config.load(write(tmp_path, right))
    for _ in range(2):
        with pytest.raises(ConfigError, match="has 1 problem"):
            config.load(write(tmp_path, right.replace('"mine"', "1")))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "jsonschema", ModuleType("jsonschema"))  # there is nothing in it
        assert config.load(write(tmp_path, right)) == loaded
        with pytest.raises(ImportError):
            config.load(write(tmp_path, right.replace("mine", "yours")))
        (tmp_path / "key.gpg").unlink()
        with pytest.raises(ConfigError, match="has 1 problem"):  # what the schema does not say is looked at each time
            config.load(write(tmp_path, right))
    changed = json.loads(schema.read_text())
    changed["properties"]["archive"]["properties"]["name"]["type"] = "integer"
    schema.write_text(json.dumps(changed))
    with pytest.raises(ConfigError, match="has 2 problems"):
        config.load(write(tmp_path, right))


def test_no_cache_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert config.load(write(tmp_path, '[archive]\nname = "mine"\n')).archive.name == "mine"


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "extra.deb").touch()
    (tmp_path / "key.asc").touch()
    (tmp_path / "tracker.json").touch()
    loaded = config.load(
        write(
            tmp_path,
            """
            [build]
            suites = ["unstable", "bookworm"]
            arches = ["arm64"]
            backend = "pbuilder"
            timeout = "90m"
            options = ["nocheck"]
            profiles = ["nodoc"]
            packages = ["extra.deb"]
            layers = false
            repositories = [{line = "deb http://example.org/ trixie main", key = "key.asc"}]
            [chroot]
            mirror = "http://example.org/debian"
            components = ["main", "contrib"]
            packages = ["ccache"]
            max-age = "1d"
            cache-limit = "5GB"
            [checks]
            run = ["lintian"]
            timeout = "10m"
            [checks.lintian]
            fail-on = "warning"
            profile = "debian"
            suppress = [{tag = "no-manual-page", reason = "it has no options", package = "hello"}]
            [checks.piuparts]
            accept = [{tag = "broken-symlink", reason = "it is so"}]
            [checks.equivalence]
            accept = [{tag = "mode-differs", reason = "it is so", what = "usr/bin/*"}]
            [checks.vulnerabilities]
            tracker = "tracker.json"
            max-age = "2h"
            fail-on = "low"
            accept = [{tag = "CVE-2026-0001", reason = "it is not called", package = "jansson"}]
            [[checks.reproducible.unvaried]]
            variation = "clock"
            reason = "a certificate ends"
            [keys]
            upload = "aaaabbbbccccddddeeeeffff0000111122223333"
            [archive]
            name = "tools"
            path = "archive"
            url = "https://example.org/apt"
            [source]
            keyring = "key.asc"
            """,
        )
    )
    assert loaded.build.suites == ("sid", "bookworm")
    assert loaded.build.timeout == 5400
    assert loaded.build.packages == (tmp_path / "extra.deb",)
    assert loaded.build.repositories[0].key == tmp_path / "key.asc"
    assert not loaded.build.layers
    assert loaded.chroot.max_age == 86400
    assert loaded.chroot.cache_limit == 5 * 10**9
    assert loaded.checks.lintian.suppress[0].reason == "it has no options"
    assert loaded.checks.piuparts.accept == (Suppression(tag="broken-symlink", reason="it is so"),)
    assert loaded.checks.equivalence.accept == (Suppression(tag="mode-differs", reason="it is so", what="usr/bin/*"),)
    assert loaded.checks.vulnerabilities == config.VulnerabilitiesConfig(
        tracker=f"{tmp_path}/tracker.json",
        max_age=7200,
        fail_on="low",
        accept=(config.Suppression(tag="CVE-2026-0001", reason="it is not called", package="jansson"),),
    )
    assert loaded.checks.reproducible.unvaried == (Unvaried(variation="clock", reason="a certificate ends"),)
    assert loaded.keys.upload == "AAAABBBBCCCCDDDDEEEEFFFF0000111122223333"
    assert loaded.repo == tmp_path / "archive"
    assert loaded.source.keyring == tmp_path / "key.asc"


def test_what_can_be_unvaried_is_what_can_be_varied() -> None:
    entry = json.loads(config.SCHEMA.read_text())["properties"]["checks"]["properties"]["reproducible"]["properties"]["unvaried"]
    assert entry["items"]["properties"]["variation"]["enum"] == [field.name for field in fields(Variation)]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(
            write(
                tmp_path,
                """
                [buld]
                [build]
                archs = ["arm64"]
                timeout = "soon"
                [checks.lintian]
                suppress = [{tag = "no-manual-page"}]
                """,
            )
        )
    assert caught.value.what.endswith("has 4 problems")
    for part in (
        "unknown key: buld (did you mean build?)",
        "unknown key in [build]: archs (did you mean arches?)",
        'build.timeout is "soon": it must be a number and s, m, h or d: "90m"',
        "checks.lintian.suppress.0: reason is missing",
    ):
        assert part in caught.value.cause


def test_unknown_names_get_the_nearest(tmp_path: Path) -> None:
    text = '[build]\nsuites = ["trixi"]\narches = ["arm46"]\nbackend = "sbuilt"\n[checks]\nrun = ["lintan"]'
    with pytest.raises(ConfigError) as caught:
        config.load(write(tmp_path, text))
    for part in (
        "trixi (did you mean trixie?)",
        "arm46 (did you mean arm64?)",
        "sbuilt (did you mean sbuild?)",
        "lintan (did you mean",
    ):
        assert part in caught.value.cause


def test_names_and_files_are_told_beside_what_the_schema_tells(tmp_path: Path) -> None:
    text = """
    [build]
    suits = ["trixie"]
    suites = ["trixe", 1]
    arches = ["arm46"]
    backend = 5
    packages = ["nowhere.deb"]
    repositories = [{line = "deb http://example.org/ trixie main", key = "nowhere.asc"}, "deb"]
    [checks]
    run = "lintan"
    """
    with pytest.raises(ConfigError, match=r"9 problems$") as caught:
        config.load(write(tmp_path, text))
    for part in (
        "unknown key in [build]: suits (did you mean suites?)",
        "unknown suite in build.suites: trixe (did you mean trixie?)",
        "build.suites.1 is 1: it must be a text",
        "unknown architecture in build.arches: arm46 (did you mean arm64?)",
        "build.backend is 5: it must be a text",
        f"build.packages: there is no file {tmp_path}/nowhere.deb",
        f"build.repositories: there is no file {tmp_path}/nowhere.asc",
        'build.repositories.1 is "deb": it must be a table',
        'checks.run is "lintan": it must be a list',
    ):
        assert part in caught.value.cause


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[build]\nsuites = []", "build.suites is []: it must not be empty"),
        ('[build]\narches = ["amd64", "amd64"]', 'build.arches is ["amd64", "amd64"]: each may be named once only'),
        ('[build]\nlayers = "no"', 'build.layers is "no": it must be true or false'),
        ("[build]\ntimeout = 1979-05-27", 'build.timeout is "1979-05-27": it must be a text'),
        ('[build]\nrepositories = [{line = "http://example.org/"}]', "it must be a line of sources.list(5) that begins with deb"),
        ('[chroot]\nmirror = "mirror.example.org/debian"', "it must be the URL of a Debian archive"),
        ('[archive]\nvalid-for = "1m"', 'archive.valid-for is "1m": it must be a day at least'),
        ('[archive]\nvalid-for = "23h"', "m is minutes"),
        ('[archive]\nvalid-for = "1x"', 'archive.valid-for is "1x": it must be a number and s, m, h or d'),
        ('[checks.lintian]\nfail-on = "info"', 'checks.lintian.fail-on is "info": it must be one of error, warning'),
    ],
)
def test_a_wrong_value_is_told_with_what_it_must_be(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=r"1 problem$") as caught:
        config.load(write(tmp_path, text))
    assert problem in caught.value.cause


def test_every_rule_of_the_schema_can_be_told() -> None:
    def rules(schema: object) -> Iterator[dict[str, object]]:
        for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
            yield from rules(value)
        if isinstance(schema, dict):
            yield schema

    for rule in rules(json.loads(config.SCHEMA.read_text())):
        assert "pattern" not in rule or "description" in rule, rule
        assert not isinstance(rule.get("type"), str) or rule["type"] in config.read.KINDS, rule


def test_a_table_may_be_something_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"2 problems$"):
        config.load(write(tmp_path, 'build = "trixie"\nsource = ["key.asc"]'))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"1 problem$") as caught:
        config.load(write(tmp_path, '[source]\nkeyring = "nowhere.gpg"'))
    assert "there is no file" in caught.value.cause


@pytest.mark.parametrize(
    ("text", "place"), [("[build]\nsuites = [trixie]\n", "in line 2: suites = [trixie]"), ("[build", "in the end of the file")]
)
def test_broken_toml_names_the_place(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(ConfigError, match="is not TOML: ") as caught:
        config.load(write(tmp_path, text))
    assert place in caught.value.cause


def test_a_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'[archive]\nname = "caf\xe9"')
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        config.load(tmp_path, tmp_path / "latin.toml")
    assert "UTF-8" in caught.value.cause


def test_names_on_the_command_line() -> None:
    names = config.parse_names(arches=("amd64 arm64", "arm64"), suites=("unstable,bookworm", "sid"), backend="pbuilder")
    assert names == config.Names(suites=("sid", "bookworm"), arches=("amd64", "arm64"), backend="pbuilder")
    assert config.parse_names() == config.Names(suites=(), arches=(), backend=None)
    with pytest.raises(ConfigError, match=r"unknown architecture: aarch64 \(did you mean"):
        config.parse_names(arches=("aarch64",))


def test_unknown_names_on_the_command_line_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match="3 names on the command line are unknown") as caught:
        config.parse_names(suites=("trixe",), arches=("arm46", "arm64"), backend="pbulder")
    assert caught.value.cause.splitlines() == [
        "unknown suite: trixe (did you mean trixie?)",
        "unknown architecture: arm46 (did you mean arm64?)",
        "unknown backend: pbulder (did you mean pbuilder?)",
    ]


def test_the_example_in_the_reference_is_read_and_names_every_key(tmp_path: Path) -> None:
    text = (CHECKOUT / "docs/reference/debkit.toml.md").read_text().partition("```toml\n")[2].partition("```")[0]
    for path in ("deps/libx_1_amd64.deb", "config/example.asc", "config/uploaders.pgp"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    assert config.load(write(tmp_path, text)).build.suites == ("trixie", "bookworm")
    shown = set(re.findall(r"^([a-z-]+) =", text, re.MULTILINE))
    schema = json.loads(config.SCHEMA.read_text())
    assert shown == set(keys_of(schema, schema))


def keys_of(schema: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    """Every key of a schema that holds a value and not a table."""
    schema = whole["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    for key, value in schema.get("properties", schema.get("items", {}).get("properties", {})).items():
        nested = list(keys_of(value, whole))
        yield from nested or [key]


@pytest.mark.parametrize("valid", ["0s", "24h", "30d"])
def test_how_long_an_index_may_be_valid(tmp_path: Path, valid: str) -> None:
    assert config.load(write(tmp_path, f'[archive]\nvalid-for = "{valid}"')).archive.valid_for == config.seconds(valid)
