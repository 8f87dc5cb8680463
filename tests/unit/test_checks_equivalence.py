from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from debian.arfile import ArFile

from debkit import checks
from debkit.checks import _contents, _elf_facts, equivalence
from debkit.checks._elf_facts import Interface
from debkit.chroot import roots
from debkit.chroot.roots import ToolRoot
from debkit.config import ChecksConfig, ChrootConfig, EquivalenceConfig, Suppression
from debkit.console import Quiet
from debkit.errors import EnvironmentFailure
from debkit.host.elf import program
from debkit.model import ARCHES, CheckReport, Outcome, Severity
from tests.elfs import elf
from tests.recorder import Reply
from tests.twins import PEERS, File, Package, ar, build, twin, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from debkit.run import Command
    from tests.recorder import Recorder

DATA = Path(__file__).parent.parent / "data"
HARDENED = (DATA / "hardening-check/local-rag.txt").read_text().replace("local-rag_0.1.0~20261124135945.g4bef241", "hello_1.0")
PARTS = (
    "packages", "control fields", "files", "modes and owners", "dependencies", "conffiles", "maintainer scripts", "symbols",
    "units", "architecture of ELF files", "hardening of ELF files", "flags in the build log",
)  # fmt: skip
ARM64, AMD64 = (twin(arch) for arch in PEERS)
SERVICE = File(b"[Service]\nExecStart=/usr/bin/hello\n")


@pytest.fixture
def judge(recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CheckReport]:
    """Judge packages against their peers; of flags and hardening the tools say what they say of good packages."""

    @contextlib.contextmanager
    def tools(*_: object, **__: object) -> Iterator[ToolRoot]:
        yield ToolRoot(Path("/cache/tools"))

    monkeypatch.setattr(roots, "tools", tools)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    recorder.replies[:0] = [Reply(("hardening-check",), HARDENED)]

    def judged(
        ours: Package | tuple[Package, ...] = ARM64,
        theirs: Package | tuple[Package, ...] | None = AMD64,
        accept: tuple[Suppression, ...] = (),
    ) -> CheckReport:
        results = []
        for arch, packages in zip(PEERS, (ours, theirs), strict=True):
            where = tmp_path / "dist" / arch
            several = packages if isinstance(packages, tuple) else (packages,) if packages else ()
            results.append(build(where, arch, *(write(each, where) for each in several)))
        bench = checks.Bench(
            run=recorder,
            config=ChecksConfig(equivalence=EquivalenceConfig(accept=accept)),
            chroot=ChrootConfig(),
            progress=Quiet(),
            work=tmp_path / "dist/arm64",
            peer=None if theirs is None else results[1],
        )
        return equivalence.judge(bench, results[0])

    return judged


def found(report: CheckReport) -> list[tuple[Severity, str, str]]:
    return [(finding.severity, finding.tag, finding.text) for finding in report.findings]


def test_twins_pass_whatever_their_architecture_is_called(judge: Callable[..., CheckReport], tmp_path: Path) -> None:
    report = judge()
    assert (report.outcome, report.reason, report.findings) == (Outcome.PASS, "", ())
    assert [(step.name, step.outcome) for step in report.steps] == [(name, Outcome.PASS) for name in PARTS]
    assert not list(tmp_path.glob("debkit-equivalence.*"))


@pytest.mark.parametrize(
    ("ours", "part", "tag", "text"),
    [
        (
            ARM64.having("usr/bin/hello", None), "files", "file-in-one-architecture-only",
            "usr/bin/hello: only in trixie/amd64",
        ),
        (
            ARM64.having("usr/bin/hello", File(link="true")), "files", "file-kind-differs",
            "usr/bin/hello: a symbolic link in trixie/arm64, a file in trixie/amd64",
        ),
        (
            ARM64.having("usr/share/hello/current", File(link="/usr/lib/x86_64-linux-gnu/hello")), "files", "link-differs",
            ("usr/share/hello/current: it leads to /usr/lib/x86_64-linux-gnu/hello in trixie/arm64, "
             "to /usr/lib/x86_64-linux-gnu/hello in trixie/amd64"),
        ),
        (
            ARM64.having("usr/bin/hello", File(program(ARCHES["arm64"]), 0o4755)), "modes and owners", "mode-differs",
            "usr/bin/hello: 4755 in trixie/arm64, 0755 in trixie/amd64",
        ),
        (
            ARM64.having("usr/bin/hello", File(program(ARCHES["arm64"]), 0o755, "root:mail")), "modes and owners",
            "owner-differs",
            "usr/bin/hello: root:mail in trixie/arm64, root:root in trixie/amd64",
        ),
        (
            ARM64.asking("Depends", ARM64.fields["Depends"] + ", intel-microcode"),
            "dependencies", "dependency-differs", "intel-microcode: in Depends only in trixie/arm64",
        ),
        (
            ARM64.asking("Recommends", "libc6 (>= 2.36)"),
            "dependencies", "dependency-differs", "libc6: in Recommends only in trixie/arm64",
        ),
        (
            ARM64.asking("Depends", ARM64.fields["Depends"].replace("(= 1.0)", "(= 1.1)")),
            "dependencies", "dependency-differs",
            "libhello1:arm64 | hello-static: in Depends = 1.1 | any version in trixie/arm64, = 1.0 | any version in trixie/amd64",
        ),
        (
            ARM64.asking("Multi-Arch", "foreign"), "control fields", "field-differs",
            "Multi-Arch: “foreign” in trixie/arm64, “same” in trixie/amd64",
        ),
        (
            ARM64.having("usr/bin/hello", File(elf("amd64"), 0o755)), "architecture of ELF files", "wrong-architecture-elf",
            "usr/bin/hello: of amd64, in a package of trixie/arm64",
        ),
        (
            ARM64.saying("conffiles", ""), "conffiles", "conffile-differs",
            "etc/hello.conf: a conffile only in trixie/amd64",
        ),
        (
            ARM64.saying("postinst", "#!/bin/sh\nset -e\nldconfig /opt\n"),
            "maintainer scripts", "script-differs",
            "postinst: line 3 is “ldconfig /opt” in trixie/arm64, “ldconfig /usr/lib/x86_64-linux-gnu” in trixie/amd64",
        ),
        (
            ARM64.saying("prerm", "#!/bin/sh\n"), "maintainer scripts", "script-differs",
            "prerm: only in trixie/arm64",
        ),
        (
            ARM64.saying("symbols", "libhello.so.1 hello #MINVER#\n"), "symbols", "symbols-differ",
            "symbols: a line only in trixie/amd64: hello@Base 1.0",
        ),
    ],
)  # fmt: skip
def test_a_difference_fails_in_its_part(judge: Callable[..., CheckReport], ours: Package, part: str, tag: str, text: str) -> None:
    report = judge(ours)
    assert (report.outcome, report.reason) == (Outcome.FAIL, f"1 finding: hello: {tag} {text}")
    assert found(report) == [(Severity.ERROR, tag, text)]
    assert [step.name for step in report.steps if step.outcome is Outcome.FAIL] == [part]


def test_what_is_in_conffiles_and_units_counts_and_what_is_in_other_files_does_not(judge: Callable[..., CheckReport]) -> None:
    ours = (
        ARM64.having("etc/hello.conf", File(b"plugins = /usr/lib/{triplet}/hello\ndebug = yes\n"))
        .having("usr/lib/systemd/system/hello.service", File(b"[Service]\nExecStart=/usr/bin/hello --arch {arch} --debug\n"))
        .having("usr/lib/{triplet}/hello/plugin-{cpu}.conf", File(b"something else\n"))
    )
    assert found(judge(ours)) == [
        (
            Severity.ERROR,
            "conffile-differs",
            "etc/hello.conf: line 2 is “debug = yes” in trixie/arm64, not there in trixie/amd64",
        ),
        (
            Severity.ERROR,
            "unit-differs",
            (
                "usr/lib/systemd/system/hello.service: line 2 is “ExecStart=/usr/bin/hello --arch arm64 --debug” "
                "in trixie/arm64, “ExecStart=/usr/bin/hello --arch amd64” in trixie/amd64"
            ),
        ),
    ]


def test_what_is_no_text_is_told_all_the_same(judge: Callable[..., CheckReport]) -> None:
    ours = replace(ARM64, control={**ARM64.control, "conffiles": "/etc/hello.conf\n"}).having("usr/share/caf\udce9", File(b"1"))
    ours, theirs = (
        package.having("etc/hello.conf", File(b"\x7f" + text)) for package, text in ((ours, b"\xe9"), (AMD64, b"\xe8"))
    )
    report = judge(ours, theirs)
    assert [text for *_, text in found(report)] == [
        "usr/share/caf\\xe9: only in trixie/arm64",
        "etc/hello.conf: line 1 is “\x7f\\xe9” in trixie/arm64, “\x7f\\xe8” in trixie/amd64",
    ]
    assert report.log
    assert "caf\\xe9" in report.log.read_text()


def test_the_least_version_of_a_dependency_may_differ(judge: Callable[..., CheckReport]) -> None:
    report = judge(ARM64.asking("Depends", ARM64.fields["Depends"].replace("2.36", "2.38")))
    assert report.outcome is Outcome.PASS
    assert found(report) == [
        (Severity.WARNING, "dependency-differs", "libc6: in Depends >= 2.38 in trixie/arm64, >= 2.36 in trixie/amd64")
    ]


def test_a_dependency_on_the_other_architecture_is_a_difference_even_where_both_have_it(
    judge: Callable[..., CheckReport],
) -> None:
    texts = [text for *_, text in found(judge(ARM64.asking("Suggests", "wine:amd64"), AMD64.asking("Suggests", "wine:amd64")))]
    assert texts == ["wine:amd64: in Suggests only in trixie/arm64", "wine:amd64: in Suggests only in trixie/amd64"]


def test_data_for_several_architectures_is_the_same_in_both(judge: Callable[..., CheckReport]) -> None:
    both = [
        package.having("usr/share/hello/amd64.db", File(b"1")).having("usr/share/hello/arm64.db", File(b"2"))
        .saying("preinst", "case $arch in\narm64) ;;\namd64) ;;\nesac\n").asking("Suggests", "gcc-x86-64-linux-gnu, perl:any")
        for package in (ARM64, AMD64)
    ]  # fmt: skip
    assert judge(*both).outcome is Outcome.PASS


def test_a_multiarch_directory_is_a_packages_own(judge: Callable[..., CheckReport]) -> None:
    wrong = "usr/lib/x86_64-linux-gnu/hello/data"
    report = judge(ARM64.having(wrong, File(b"1")), AMD64.having(wrong, File(b"1")))
    assert [text for *_, text in found(report)] == [f"{wrong}: only in trixie/arm64", f"{wrong}: only in trixie/amd64"]


def test_every_package_has_its_peer_by_whatever_name_and_debug_symbols_too(judge: Callable[..., CheckReport]) -> None:
    def builds(arch: str, *names: str) -> tuple[Package, ...]:
        debug = Package(name="hello-dbgsym", arch=arch, fields={"Auto-Built-Package": "debug-symbols"}).having(
            f"usr/lib/debug/.build-id/{arch}.debug", File(elf(arch))
        )
        return (*(Package(name=name, arch=arch) for name in names), debug)

    report = judge(builds("arm64", "hello-{arch}", "mine"), builds("amd64", "hello-{arch}", "theirs")[:-1])
    assert {(finding.package, finding.tag, finding.text) for finding in report.findings} == {
        (name, "package-missing", f"{name}: only in trixie/{arch}")
        for name, arch in (("mine", "arm64"), ("hello-dbgsym", "arm64"), ("theirs", "amd64"))
    }
    assert judge(builds("arm64", "hello"), builds("amd64", "hello")).outcome is Outcome.PASS
    assert judge(builds("arm64", "hello"), ()).outcome is Outcome.FAIL


def test_what_the_configuration_has_a_reason_for_is_accepted(judge: Callable[..., CheckReport]) -> None:
    ours = ARM64.having("usr/share/hello/sve.db", File(b"1")).having("usr/bin/sve", File(b"2"))
    data = Suppression(tag="file-in-one-architecture-only", reason="amd64 has no SVE", package="hello", what="usr/share/*")
    report = judge(ours, accept=(data,))
    assert report.reason == "1 finding: hello: file-in-one-architecture-only usr/bin/sve: only in trixie/arm64"
    assert [finding.accepted for finding in report.findings] == ["", "amd64 has no SVE"]
    report = judge(ours, accept=(replace(data, what=""),))
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    assert report.log
    assert report.log.read_text().endswith(
        "O: hello: file-in-one-architecture-only usr/share/hello/sve.db: only in trixie/arm64 (amd64 has no SVE)\n"
    )


def test_an_acceptance_that_nothing_calls_for_is_told_but_on_the_architecture_that_is_not_compared(
    judge: Callable[..., CheckReport],
) -> None:
    idle = Suppression(tag="mode-differs", reason="once upon a time", what="usr/bin/hello")
    text = "usr/bin/hello: is accepted in the configuration, but nothing differs so"
    report = judge(accept=(idle, replace(idle, package="elsewhere")))
    assert (report.outcome, found(report)) == (Outcome.PASS, [(Severity.INFO, "mode-differs", text)])
    assert judge(theirs=None, accept=(idle,)).findings == ()


def test_a_single_build_is_judged_by_itself(judge: Callable[..., CheckReport], recorder: Recorder) -> None:
    report = judge(theirs=None)
    assert (report.outcome, report.findings) == (Outcome.PASS, ())
    assert [(step.name, step.outcome) for step in report.steps] == [
        ("architecture of ELF files", Outcome.PASS),
        ("flags in the build log", Outcome.PASS),
        ("comparison", Outcome.NOT_RUN),
    ]
    assert not any("hardening-check" in argv for argv in recorder.argvs)
    assert judge(ARM64.having("usr/bin/hello", File(elf("amd64"))), None).outcome is Outcome.FAIL


def test_packages_for_all_architectures_are_not_compared(
    judge: Callable[..., CheckReport], recorder: Recorder, tmp_path: Path
) -> None:
    assert _contents.read(recorder, build(tmp_path, "arm64", tmp_path / "never-read_1.0_all.deb"), tmp_path / "work") == ()
    report = judge((), ())
    assert (report.outcome, report.reason) == (Outcome.NOT_RUN, "the build made no package for this architecture alone")


def test_an_object_of_another_architecture_in_a_static_library_is_told(judge: Callable[..., CheckReport]) -> None:
    library = File(ar({"good.o/": elf("arm64") + bytes(30), "bad.o/": elf("amd64") + bytes(31)}))
    report = judge(ARM64.having("usr/lib/{triplet}/hello/libhello.a", library), None)
    assert [text for *_, text in found(report)] == [
        "usr/lib/aarch64-linux-gnu/hello/libhello.a(bad.o): of amd64, in a package of trixie/arm64"
    ]


def test_libraries_offer_the_same_symbols(judge: Callable[..., CheckReport], monkeypatch: pytest.MonkeyPatch) -> None:
    def interface(copy: Path) -> Interface:
        mine = "ours" in copy.parts
        return Interface("libhello.so.2" if mine else "libhello.so.1", frozenset({"hello", "of_arm64" if mine else "sse"}))

    monkeypatch.setattr(_elf_facts, "interface", interface)
    soname = "usr/bin/hello: its SONAME is libhello.so.2 in trixie/arm64, libhello.so.1 in trixie/amd64"
    assert [text for *_, text in found(judge())] == [soname]  # dpkg-gensymbols has judged the symbols
    assert [text for *_, text in found(judge(*(replace(each, control={}) for each in (ARM64, AMD64))))] == [
        soname,
        "usr/bin/hello: a symbol only in trixie/arm64: of_arm64",
        "usr/bin/hello: a symbol only in trixie/amd64: sse",
    ]


def test_a_file_that_is_no_package_is_no_fault_of_the_packages(recorder: Recorder, tmp_path: Path) -> None:
    broken = tmp_path / "broken_1.0_arm64.deb"
    broken.write_bytes(b"!<arch>\n")
    with pytest.raises(EnvironmentFailure, match=r"broken_1.0_arm64.deb cannot be read"):
        _contents.read(recorder, build(tmp_path, "arm64", broken), tmp_path / "work")


def test_packages_are_unpacked_by_zstd_where_they_were_packed_by_it(recorder: Recorder, tmp_path: Path) -> None:
    def decompress(command: Command) -> None:
        source, target = Path(command.argv[-3]), Path(command.argv[-1])
        target.write_bytes(source.read_bytes().removeprefix(b"zstd"))
        source.unlink()

    deb = write(ARM64, tmp_path)
    plain = _contents.read(recorder, build(tmp_path, "arm64", deb), tmp_path / "plain")
    assert recorder.commands == []
    parts = {member.name: member.read() for member in ArFile(str(deb)).getmembers()}
    deb.write_bytes(
        ar({name.replace(".xz", ".zst"): data if name == "debian-binary" else b"zstd" + data for name, data in parts.items()})
    )
    recorder.reply("zstd", "--decompress", action=decompress)
    packed = _contents.read(recorder, build(tmp_path, "arm64", deb), tmp_path / "packed")
    assert [argv[0] for argv in recorder.argvs] == ["zstd", "zstd"]
    assert (packed[0].entries, packed[0].texts, packed[0].control) == (plain[0].entries, plain[0].texts, plain[0].control)
    assert [path.name for path in (tmp_path / "packed" / deb.stem).iterdir()] == ["0000"]
