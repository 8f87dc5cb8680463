from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.archive.front import news, page
from debkit.archive.front.catalogue import Offer, Package, read_offers
from debkit.config import ArchiveConfig, Config
from debkit.keys import Keys
from debkit.model import SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable

CONF = Path(__file__).parents[2] / "repo/conf"
KEY = SigningKey(fingerprint="0123456789" * 4, uid="Archive <archive@example.org>", home=Path("/nowhere"), development=False)
KEYS = Keys(upload=KEY, archive=KEY)
POOL = "pool/main/h/hello"
DATE = "Tue, 02 Jan 2024 03:04:05 +0000"


def changelog(*versions: str, text: str = "Say hello.") -> str:
    return "\n".join(
        f"hello ({version}) unstable; urgency=medium\n\n  * {text}\n\n -- A Name <a@example.org>  {DATE}\n"
        for version in versions
    )


def stanza(name: str, version: str = "1.0-1", arch: str = "amd64", *, source: str = "hello", summary: str = "greets") -> str:
    return (
        f"Package: {name}\nSource: {source}\nVersion: {version}\nArchitecture: {arch}\n"
        f"Filename: pool/main/{source[0]}/{source}/{name}_{version}_{arch}.deb\nDescription: {summary}\n and more\n"
    )


def index(config: Config, suite: str, **arches: tuple[str, ...]) -> None:
    (config.repo / "dists" / suite).mkdir(parents=True, exist_ok=True)
    (config.repo / "dists" / suite / "InRelease").touch()
    for arch, stanzas in arches.items():
        directory = config.repo / f"dists/{suite}/main/binary-{arch}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "Packages").write_text("\n".join(stanzas))


def tarball(file: Path, **members: str) -> None:
    with tarfile.open(file, "w:xz" if file.suffix == ".xz" else "w:gz") as tar:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))


def source(directory: Path, version: str, *files: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    listed = "".join(f" {'0' * 32} 1 {file}\n" for file in files)
    dsc = directory / f"hello_{version}.dsc"
    dsc.write_text(f"Format: 3.0 (quilt)\nSource: hello\nVersion: {version}\nFiles:\n{listed}")
    return dsc


def quilt(directory: Path) -> Path:
    dsc = source(directory, "1.0-1", "hello_1.0.orig.tar.gz", "hello_1.0-1.debian.tar.xz")
    (directory / "hello_1.0.orig.tar.gz").write_bytes(b"not looked at")
    tarball(directory / "hello_1.0-1.debian.tar.xz", **{"debian/changelog": changelog("1.0-1", "0.9-1")})
    return dsc


def native(directory: Path) -> Path:
    dsc = source(directory, "1.0-1", "hello_1.0-1.tar.gz")
    members = {
        "hello/README": "hello\n",
        "hello/vendor/debian/changelog": "no\n",
        "hello/debian/changelog": changelog("1.0-1", "0.9-1"),
    }
    tarball(directory / "hello_1.0-1.tar.gz", **members)
    return dsc


def one_dot_zero(directory: Path) -> Path:
    dsc = source(directory, "1.0-1", "hello_1.0.orig.tar.gz", "hello_1.0-1.diff.gz")
    added = changelog("1.0-1", "0.9-1").splitlines()
    hunk = "".join(f"+{line}\n" for line in added)
    diff = (
        "--- hello-1.0.orig/Makefile\n+++ hello-1.0/Makefile\n@@ -1 +1 @@\n-all:\n+all: hello\n"
        f"--- hello-1.0.orig/debian/changelog\n+++ hello-1.0/debian/changelog\n@@ -0,0 +1,{len(added)} @@\n{hunk}"
        "--- hello-1.0.orig/debian/compat\n+++ hello-1.0/debian/compat\n@@ -0,0 +1 @@\n+13\n"
    )
    (directory / "hello_1.0-1.diff.gz").write_bytes(gzip.compress(diff.encode()))
    return dsc


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = Config(project=tmp_path, archive=ArchiveConfig(name="tools", url="https://apt.example.org"))
    shutil.copytree(CONF, config.repo / "conf")
    return config


def shown(config: Config) -> str:
    return (config.repo / "index.html").read_text()


@pytest.mark.parametrize("make", [quilt, native, one_dot_zero])
def test_a_changelog_is_read_from_every_kind_of_source(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    found = news.read_news(make(tmp_path), ())
    assert found == (news.News("1.0-1", DATE, ("* Say hello.",)), news.News("0.9-1", DATE, ("* Say hello.",)))


def test_a_changelog_that_cannot_be_read_is_no_news(tmp_path: Path) -> None:
    dsc = quilt(tmp_path)
    (tmp_path / "hello_1.0-1.debian.tar.xz").write_bytes(b"garbage")
    assert news.read_news(dsc, (tmp_path / "missing.deb",)) == ()
    tarball(tmp_path / "hello_1.0-1.debian.tar.xz", **{"debian/changelog": "hello 1.0\n\n what\n"})
    assert news.read_news(dsc, ()) == ()
    assert news.read_news(tmp_path / "missing.dsc", ()) == ()


def test_a_long_entry_is_cut() -> None:
    (entry,) = news.parse(changelog("1.0", text="\n  * ".join(str(number) for number in range(100))))
    assert entry.lines == (*(f"* {number}" for number in range(news.LINES)), "…")


def test_what_a_suite_offers(config: Config) -> None:
    index(
        config,
        "trixie",
        amd64=(
            stanza("hello", "1.0-2"), stanza("hello-doc", "1.0-1", "all"), stanza("hello-dbgsym"),
            stanza("other", "2:3-1", source="other (1:2-1)").replace("pool/main/o/other (1:2-1)", "pool/main/o/other"),
        ),
        arm64=(stanza("hello", "1.0-1", "arm64"), stanza("hello-doc", "1.0-1", "all")),
    )  # fmt: skip
    hello, other = read_offers(config.repo, "trixie")
    assert hello == Offer(
        "hello",
        "1.0-2",
        (
            Package("hello", "1.0-1", ("arm64",), "greets", f"{POOL}/hello_1.0-1_arm64.deb"),
            Package("hello", "1.0-2", ("amd64",), "greets", f"{POOL}/hello_1.0-2_amd64.deb"),
            Package("hello-doc", "1.0-1", ("all",), "greets", f"{POOL}/hello-doc_1.0-1_all.deb"),
        ),
    )
    assert hello.dsc == f"{POOL}/hello_1.0-2.dsc"
    assert (other.source, other.version, other.dsc) == ("other", "1:2-1", "pool/main/o/other/other_2-1.dsc")


def test_the_page_tells_what_there_is_and_how_to_add_it(config: Config) -> None:
    quilt(config.repo / POOL)
    index(config, "trixie", amd64=(stanza("hello"),), arm64=(stanza("hello", arch="arm64"),))
    index(config, "sid", amd64=(stanza("hello", summary="greets <all> & sundry"),))
    page.write(config, KEYS)
    html = shown(config)
    assert "Debian 13 (trixie) and Debian unstable (sid)" in html
    assert "sudo curl -fsSLo /etc/apt/sources.list.d/tools.sources https://apt.example.org/tools-sid.sources" in html
    assert "0123 4567 8901 2345 6789 0123 4567 8901 2345 6789" in html
    assert "greets &lt;all&gt; &amp; sundry" in html
    assert "<td>amd64, arm64</td>" in html
    assert "<time>2024-01-02</time>" in html
    assert "* Say hello." in html
    assert "development key" not in html
    text = (config.repo / "INSTALL.md").read_text()
    assert (
        "## Debian 13 (trixie)\n\n```sh\nsudo apt-get update && sudo apt-get install curl ca-certificates\nsudo curl -fsSLo "
        in text
    )
    assert text.count("/usr/share/keyrings/tools-archive-keyring.pgp") == 5


def test_what_others_have_written_is_escaped(config: Config) -> None:
    evil = "<script>alert(1)</script><!--/-->"
    dsc = quilt(config.repo / POOL)
    tarball(dsc.with_name("hello_1.0-1.debian.tar.xz"), **{"debian/changelog": changelog("1.0-1", text=evil)})
    index(config, "trixie", amd64=(stanza("hello", summary=evil),))
    for _ in range(2):
        page.write(config, KEYS)
        assert "<script" not in shown(config)
        assert shown(config).count("&lt;script&gt;") == 2


def test_only_what_changed_is_read_and_written(config: Config) -> None:
    quilt(config.repo / POOL)
    index(config, "trixie", amd64=(stanza("hello"),))
    page.write(config, KEYS)
    first, before = shown(config), (config.repo / "index.html").stat()
    shutil.rmtree(config.repo / POOL)
    page.write(config, KEYS)
    assert (config.repo / "index.html").stat() == before
    index(config, "trixie", amd64=(stanza("hello"), stanza("other", source="other")))
    page.write(config, KEYS)
    assert "* Say hello." in shown(config)
    assert "<b>other</b>" in shown(config)
    index(config, "trixie", amd64=(stanza("hello"),))
    page.write(config, KEYS)
    assert shown(config) == first


def test_of_many_sources_the_newest_are_told_of_in_full(config: Config) -> None:
    names = tuple(f"p{number:05}" for number in range(10_000))
    index(config, "trixie", amd64=tuple(stanza(name, source=name) for name in names))
    newest = config.repo / "pool/main/p/p00007/p00007_1.0-1_amd64.deb"
    newest.parent.mkdir(parents=True)
    newest.touch()
    page.write(config, KEYS)
    html = shown(config)
    assert html.count("<b>") == page.TOLD
    assert html.index("<b>p00007</b>") == html.index("<b>")
    assert "<li>p09999 " in html
    assert len(html) < 10**6
    started = time.monotonic()
    index(config, "trixie", amd64=tuple(stanza(name, source=name) for name in names[1:]))
    page.write(config, KEYS)
    assert time.monotonic() - started < 2  # seen: 0.15 s


def test_an_archive_that_is_still_empty(config: Config) -> None:
    page.write(config, KEYS)
    assert "still empty" in shown(config)
    assert "Add this archive" not in shown(config)
