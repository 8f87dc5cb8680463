"""Sources in both formats, and what is taken from the machine's configuration."""

from __future__ import annotations

import pytest

from debkit.apt.settings import parse_dump
from debkit.apt.sources import of_type, parse_list, parse_sources, render, with_field

ONE_LINE = """\
# deb http://old.example.org/debian trixie main
deb http://repo.example.org/debian trixie main contrib   # the main one
deb-src [signed-by="/usr/share/keyrings/a.gpg,/usr/share/keyrings/b.gpg" arch=amd64,arm64] http://repo.example.org/debian x main

deb [arch+=i386 trusted=yes] copy:/srv/repo ./
"""

DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://repo.example.org/debian
Suites: trixie trixie-updates
Components: main
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://off.example.org/debian
Suites: trixie
Components: main
Enabled: no
"""


def test_one_line_entries_become_stanzas() -> None:
    first, second, third = parse_list(ONE_LINE)
    assert first == {
        "Types": "deb",
        "URIs": "http://repo.example.org/debian",
        "Suites": "trixie",
        "Components": "main contrib",
    }
    assert second["Signed-By"] == "/usr/share/keyrings/a.gpg /usr/share/keyrings/b.gpg"
    assert second["Architectures"] == "amd64 arm64"
    assert third == {"Types": "deb", "URIs": "copy:/srv/repo", "Suites": "./", "Architectures-Add": "i386", "Trusted": "yes"}


def test_a_line_that_is_no_entry_is_named() -> None:
    with pytest.raises(ValueError, match="rpm http://repo"):
        parse_list("rpm http://repo.example.org/ trixie main\n")


def test_deb822_keeps_an_embedded_key_and_leaves_out_what_is_disabled() -> None:
    (stanza,) = parse_sources(DEB822)
    assert stanza["signed-by"].splitlines()[1] == " -----BEGIN PGP PUBLIC KEY BLOCK-----"
    assert parse_sources(render([stanza])) == [stanza]


def test_a_stanza_without_its_fields_is_told() -> None:
    with pytest.raises(ValueError, match="without URIs and Suites"):
        parse_sources("Types: deb\n")
    with pytest.raises(ValueError, match="hello"):
        parse_sources("hello\n")


def test_each_repository_is_written_once_for_a_type() -> None:
    stanzas = parse_list("deb http://repo.example.org/debian trixie main\ndeb-src http://repo.example.org/debian trixie main\n")
    assert of_type(stanzas, "deb-src") == [with_field(stanzas[1], "Types", "deb-src")]


def test_a_field_is_set_whatever_its_case() -> None:
    assert with_field({"signed-by": "/a", "Types": "deb"}, "Signed-By", "/b") == {"Types": "deb", "Signed-By": "/b"}
    assert with_field({"signed-by": "/a", "Types": "deb"}, "Signed-By", "") == {"Types": "deb"}


DUMP = """\
APT "";
APT::Update::Post-Invoke-Success:: "/usr/bin/appstreamcli refresh";
APT::Install-Recommends "1";
Acquire::Check-Valid-Until "false";
Acquire::AllowInsecureRepositories "1";
Acquire::http "";
Acquire::http::Proxy "http://proxy.example.org:3128";
Acquire::http::Proxy::repo.example.org "DIRECT";
Acquire::http::Proxy-Auto-Detect "/usr/bin/auto-apt-proxy";
Acquire::https::CaInfo "/etc/ssl/company.pem";
Acquire::https::repo.example.org::SslCert "/etc/ssl/me.pem";
Acquire::https::Verify-Peer "false";
Acquire::ForceIPv4 "true";
Dir::Etc::trusted "trusted.gpg";
"""


def test_only_the_way_to_the_network_is_taken_from_the_machine() -> None:
    assert parse_dump(DUMP) == (
        ("Acquire::http::Proxy", "http://proxy.example.org:3128"),
        ("Acquire::http::Proxy::repo.example.org", "DIRECT"),
        ("Acquire::http::Proxy-Auto-Detect", "/usr/bin/auto-apt-proxy"),
        ("Acquire::https::CaInfo", "/etc/ssl/company.pem"),
        ("Acquire::https::repo.example.org::SslCert", "/etc/ssl/me.pem"),
        ("Acquire::ForceIPv4", "true"),
    )
