from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from debkit.archive.judge import Deb, Held, Include, Stock, Upload, in_pool, judge
from debkit.archive.reprepro import Entry
from debkit.errors import ArchiveConflict, ArchiveError
from debkit.model import FileRef

DSC = "Format: 3.0 (native)\n"
POOL = "pool/main/h/hello"


def deb(package: str, arch: str, version: str = "1.0", content: str = "a") -> Deb:
    return Deb(package=package, version=version, arch=arch, file=FileRef(f"{package}_{version}_{arch}.deb", 1, content * 64))


UPLOAD = Upload(
    suite="trixie",
    changes=Path("hello_1.0_multi.changes"),
    distribution="unstable",
    files=(),
    source="hello",
    version="1.0",
    debs=(deb("hello", "amd64"), deb("hello-data", "all"), deb("hello", "arm64")),
    dsc_name="hello_1.0.dsc",
    dsc=DSC,
    sources=(FileRef("hello_1.0.tar.xz", 1, "b" * 64),),
)
NOTHING = Held(entries=(), pool={}, dsc=None)


def entry(package: str, arch: str, version: str = "1.0") -> Entry:
    return Entry(
        type="dsc" if arch == "source" else "deb", arch=arch, package=package, version=version, source="hello",
        source_version=version, file="",
    )  # fmt: skip


def held(upload: Upload = UPLOAD, indices: tuple[str, ...] = ("amd64", "arm64")) -> Held:
    """What the archive has once an upload is in."""
    entries = [
        entry(deb.package, arch, deb.version) for deb in upload.debs for arch in (indices if deb.arch == "all" else (deb.arch,))
    ]
    files = (*(deb.file for deb in upload.debs), *upload.sources)
    return Held(
        entries=(*entries, entry("hello", "source", upload.version)),
        pool={f"{POOL}/{file.name}": file.sha256 for file in files},
        dsc=upload.dsc,
    )


def only(*arches: str) -> Upload:
    return replace(UPLOAD, debs=tuple(deb for deb in UPLOAD.debs if deb.arch in arches))


def test_what_is_not_there_is_taken_in() -> None:
    assert judge(UPLOAD, NOTHING) == Include()


def test_what_is_there_is_nothing_to_do() -> None:
    assert judge(UPLOAD, held()) is None
    assert judge(only("arm64"), held()) is None


def test_an_older_version_makes_room() -> None:
    old = replace(UPLOAD, version="0.9", debs=tuple(replace(deb, version="0.9~rc1") for deb in UPLOAD.debs), sources=())
    assert judge(UPLOAD, replace(held(old), pool={}, dsc=None)) == Include()


def test_only_the_missing_architectures_are_taken_in() -> None:
    assert judge(UPLOAD, held(only("amd64", "all"))) == Include(("arm64",))
    assert judge(only("arm64", "all"), held(only("amd64", "all"))) == Include(("arm64",))


def test_another_deb_is_a_conflict() -> None:
    other = replace(UPLOAD, debs=(deb("hello", "amd64", content="c"), *UPLOAD.debs[1:]))
    with pytest.raises(ArchiveConflict, match=r"hello 1\.0 is in the archive") as caught:
        judge(other, held())
    assert "hello_1.0_amd64.deb" in caught.value.cause
    assert "hello_1.0_arm64.deb" not in caught.value.cause


def test_another_source_is_a_conflict() -> None:
    with pytest.raises(ArchiveConflict) as caught:
        judge(replace(UPLOAD, dsc="Format: 1.0\n", sources=(FileRef("hello_1.0.tar.xz", 2, "d" * 64),)), held())
    assert "hello_1.0.dsc, hello_1.0.tar.xz" in caught.value.cause


def test_the_pool_of_another_suite_counts() -> None:
    pool = {f"{POOL}/hello_1.0_amd64.deb": "e" * 64}
    with pytest.raises(ArchiveConflict):
        judge(UPLOAD, Held(entries=(), pool=pool, dsc=None))


def test_a_file_of_another_source_does_not() -> None:
    pool = {"pool/main/o/othello/hello_1.0_amd64.deb": "e" * 64}
    assert judge(UPLOAD, Held(entries=(), pool=pool, dsc=None)) == Include()


@pytest.mark.parametrize(
    "newer", [entry("hello", "arm64", "1.1"), entry("hello-data", "amd64", "1:0"), entry("hello", "source", "2")]
)
def test_what_is_older_than_published_is_refused(newer: Entry) -> None:
    with pytest.raises(ArchiveError, match=f"has {newer.package} {newer.version}, which is newer than 1.0"):
        judge(UPLOAD, Held(entries=(newer,), pool={}, dsc=None))


def test_an_architecture_that_is_there_in_part_is_a_conflict() -> None:
    more = replace(UPLOAD, debs=(*UPLOAD.debs, deb("hello-extra", "amd64")))
    with pytest.raises(ArchiveConflict, match="with other packages") as caught:
        judge(more, held())
    assert "amd64: some" in caught.value.cause


def test_architecture_all_cannot_follow_later() -> None:
    with pytest.raises(ArchiveConflict, match="with other packages"):
        judge(UPLOAD, held(only("amd64", "arm64")))


def test_of_a_whole_archive_only_what_concerns_an_upload_counts(tmp_path: Path) -> None:
    there = held()
    (tmp_path / POOL).mkdir(parents=True)
    (tmp_path / POOL / UPLOAD.dsc_name).write_text(DSC)
    (tmp_path / POOL / "hello_1.0.tar.xz").write_text("tar")
    (tmp_path / "pool/main/o/othello").mkdir(parents=True)
    (tmp_path / "pool/main/o/othello/hello_1.0_amd64.deb").touch()
    others = tuple(replace(entry(f"other{n}", "amd64"), source=f"other{n}") for n in range(3))
    moved = replace(entry("hello-data", "amd64", "0.5"), source="hello-old", source_version="0.5")  # was another source's
    stock = Stock((*others, moved, *there.entries))
    found = stock.concerning(UPLOAD, tmp_path)
    assert set(found.entries) == {moved, *there.entries}
    assert found.pool == {
        f"{POOL}/{name}": hashlib.sha256(text.encode()).hexdigest()
        for name, text in ((UPLOAD.dsc_name, DSC), ("hello_1.0.tar.xz", "tar"))
    }
    assert found.dsc == DSC
    assert set(stock.of(UPLOAD)) == set(there.entries)


def test_libraries_have_directories_of_their_own_in_the_pool(tmp_path: Path) -> None:
    for path in ("main/libh/libhello", "main/l/lib", "main/h/hello", "extra/h/hello"):
        (tmp_path / "pool" / path).mkdir(parents=True)
    found = {name: [f"{path.relative_to(tmp_path)}" for path in in_pool(tmp_path, name)] for name in ("hello", "libhello", "lib")}
    assert found == {
        "hello": ["pool/extra/h/hello", "pool/main/h/hello"],
        "libhello": ["pool/main/libh/libhello"],
        "lib": ["pool/main/l/lib"],
    }
