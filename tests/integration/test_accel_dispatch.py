"""The dispatcher: its rules and its ELF reader on their own, and the whole of it between the real kernel and the real qemu."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.accel import assemble, dispatcher
from debkit.chroot import roots, store
from debkit.config import ChrootConfig
from debkit.host.binfmt import read_handler
from debkit.host.elf import ANSWER, program
from debkit.model import ARCHES, ChrootKind, ChrootSpec, Target
from debkit.run import Command
from tests.accel_dispatch import ANY_CODE, BUILD_ID, HEADS, NATIVE, SOURCES, Box
from tests.conftest import SUITE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.chroot.roots import ToolRoot
    from debkit.run import Processes

ARM64 = ARCHES["arm64"]
BINFMT = Path("/proc/sys/fs/binfmt_misc")
SANITIZED = (
    "-std=gnu11",
    "-O1",
    "-g",
    "-Werror",
    "-Wall",
    "-Wextra",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)
PLUGIN = "/usr/libexec/gcc/aarch64-linux-gnu/14/liblto_plugin.so"

needs_own_handlers = pytest.mark.skipif(
    [int(number) for number in re.findall(r"\d+", os.uname().release)[:2]] < [6, 7],
    reason="before Linux 6.7 a user namespace has no binfmt_misc of its own",
)


@pytest.fixture(scope="module")
def compiler(run: Processes, debkit_cache: Path) -> Iterator[ToolRoot]:
    """A clean root with gcc: the machine needs none."""
    with roots.tools(run, SUITE, ("gcc", "libc6-dev"), config=ChrootConfig()) as root:
        yield root


def build_id_at(root: Path, path: str) -> int:
    """Give where in a library's file its build-id is."""
    found = BUILD_ID.search((root / path.lstrip("/")).read_bytes())
    assert found, path
    return found.start(1)


def compile_c(run: Processes, compiler: ToolRoot, into: Path, source: Path, *options: str) -> None:
    shelves = ((dispatcher.HOME, "/mnt/accel"), (source.parent, "/mnt/src"))
    argv = ("gcc", *options, "-I/mnt/accel", "-o", f"/mnt/out/{into.name}", f"/mnt/src/{source.name}")
    run(Command(argv=compiler.argv(argv, binds=((into.parent, "/mnt/out"),), read_only=shelves), name="gcc"))


@pytest.mark.parametrize(("name", "says"), [("decide_test", "examples, 0 failed"), ("elf_test", "400000 mutants")])
def test_rules_and_elf_reader_alone(name: str, says: str, run: Processes, compiler: ToolRoot, tmp_path: Path) -> None:
    compile_c(run, compiler, tmp_path / name, SOURCES / f"{name}.c", *SANITIZED)
    argv = compiler.argv((f"/mnt/out/{name}", "/mnt/elf"), read_only=((tmp_path, "/mnt/out"), (HEADS, "/mnt/elf")))
    done = run(Command(argv=argv, ok=ANY_CODE))
    assert done.code == 0, done.stdout
    assert says in done.stdout


@pytest.fixture(scope="module")
def made(run: Processes, compiler: ToolRoot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The machine's own qemu, the probe, and the dispatcher, with and without a qemu in it."""
    path = tmp_path_factory.mktemp("made")
    handler = read_handler(ARM64, Path("/"))
    assert handler, "qemu-user-static is not installed: make setup"
    shutil.copy(handler.interpreter, path / "qemu")
    compile_c(run, compiler, path / "probe", SOURCES / "probe.c", "-static")
    argv = compiler.argv(
        dispatcher.argv("/mnt/src", "/mnt/out/bare", "-Werror"),
        binds=((path, "/mnt/out"),),
        read_only=((dispatcher.HOME, "/mnt/src"),),
    )
    run(Command(argv=argv, name="gcc"))
    shutil.copy(path / "bare", path / "dispatch")
    (path / "dispatch").write_bytes(dispatcher.with_qemu((path / "bare").read_bytes(), (path / "qemu").read_bytes()))
    return path


@pytest.fixture(scope="module")
def root(run: Processes, debkit_cache: Path) -> Iterator[Path]:
    spec = ChrootSpec(kind=ChrootKind.CLEAN, target=Target(SUITE, "arm64"))
    with roots.opened(run, store.ensure(run, spec, config=ChrootConfig())) as path:
        (path / ".native").mkdir()
        yield path


@pytest.fixture
def box(run: Processes, made: Path, root: Path, tmp_path: Path) -> Box:
    """A fresh toolbox with twins of sed and bash."""
    path = tmp_path / "native"
    shutil.copytree(made, path, copy_function=os.link)
    (path / "trace").touch()
    box = Box(run, path, root)
    box.map("/usr/bin/sed")
    box.map("/usr/bin/bash", "bash")
    return box


@needs_own_handlers
class TestInAForeignRoot:
    def test_a_twin_is_started_as_the_program_would_be(self, box: Box) -> None:
        done = box.enter("/usr/bin/sed", "--version", "", "a b")
        assert done.stdout == "native|/usr/bin/sed|--version||a b|files|\n"
        assert done.code == NATIVE

    def test_name_environment_and_exit_code_are_those_of_the_caller(self, box: Box) -> None:
        script = "PROBE=x perl -e 'exec {q(/bin/sed)} q(-name), q(a)'; echo $?"
        assert box.sh(script) == f"native|-name|a|files|x\n{NATIVE}"

    def test_all_else_is_emulated(self, box: Box) -> None:
        assert box.sh("uname -m; bash --version | head -n 1 | grep -o aarch64") == "aarch64\naarch64"
        assert box.sh("cd /tmp; cp /usr/bin/sed here; echo a | ./here s/a/b/; exec perl -e 'print qq($0 @ARGV)' x") == "b\n-e x"

    def test_emulated_programs_keep_their_name_and_open_files(self, box: Box) -> None:
        assert box.sh("perl -e 'exec {q(/usr/bin/sh)} q(name), q(-c), q(echo $0)'") == "name"
        # ls sees the descriptors that qemu is started with: none is the dispatcher's.
        plain, dispatched = box.sh("/.native/qemu /usr/bin/ls /proc/self/fd; echo; ls /proc/self/fd").split("\n\n")
        assert plain == dispatched

    def test_a_program_that_is_executed_by_its_descriptor_alone_is_emulated(self, box: Box) -> None:
        """As fexecve(3) does it; perl's descriptors are closed on execution."""
        script = """perl -e 'open F, q(</usr/bin/echo); exec {q(/proc/self/fd/) . fileno F} qw(echo a b)'"""
        assert box.sh(script) == "a b"

    def test_another_build_of_the_program_is_emulated(self, box: Box) -> None:
        """The map is by path and build-id: what is bound over sed has the path of the one and the build-id of the other."""
        assert box.sh("mount --bind /usr/bin/echo /usr/bin/sed; sed a b") == "a b"

    def test_scripts_reach_the_twin_of_their_interpreter(self, box: Box) -> None:
        script = "printf '#!/usr/bin/sed -f\n' >/tmp/x; chmod +x /tmp/x; /tmp/x y"
        assert box.sh(script) == "native|/usr/bin/sed|-f|/tmp/x|y|files|"

    def test_only_marked_scripts_run_natively(self, box: Box) -> None:
        box.map("/usr/bin/perl", "script")
        mark = box.path / "scripts/perl/usr/bin/pod2man"
        mark.parent.mkdir(parents=True)
        script = box.root / "usr/bin/pod2man"
        script.write_text("#!/usr/bin/perl -w\nprint qq(emulated\n);")
        script.chmod(0o755)
        mark.write_text(assemble.fingerprint(script.read_bytes()))
        native = "native|/usr/bin/perl|-w|/usr/bin/pod2man|x|files|"
        assert box.sh("pod2man x") == native
        # By any path to it, and no other file.
        assert box.sh("perl -w /bin/pod2man x") == native.replace("/usr/bin/pod2man", "/bin/pod2man").replace(
            "/usr/bin/perl", "perl"
        )
        assert box.sh("cp /bin/pod2man /tmp; cd /tmp; perl pod2man; perl -MConfig -e 'print 1'") == "emulated\n1"
        # Another content at that path, as of a newer version or one that a package has diverted it for.
        script.write_text("#!/usr/bin/perl -w\nprint qq(replaced\n);")
        assert box.sh("pod2man x") == "replaced"
        script.write_bytes(b"#!/usr/bin/perl -w\nprint qq(large\n);\n" + b"#" * 2**22)
        mark.write_text(assemble.fingerprint(script.read_bytes()))
        assert box.sh("pod2man x") == "large"
        mark.unlink()
        mark.mkdir()
        assert box.sh("pod2man x") == "large"

    def test_bash_runs_natively_what_can_be_looked_through(self, box: Box) -> None:
        (box.root / "script").write_text("printf '%s\\n' script\n")
        (box.root / "floats").write_text("printf '%.0f\\n' 7\n")
        (box.root / "large").write_text("echo large; exit\n" + "#" * 2**22)
        (box.root / "odd").write_bytes(b"echo odd; exit\n\0")
        assert box.sh("cd /; bash -e script a") == "native|bash|-e|script|a|files|"
        assert box.sh("bash -c 'echo here'") == "native|bash|-c|echo here|files|"
        assert box.sh("cd /; bash floats; bash large; bash odd; echo echo input | bash") == "7\nlarge\nodd\ninput"
        assert box.sh("mkfifo /tmp/pipe; echo echo piped >/tmp/pipe & bash /tmp/pipe") == "piped"

    @pytest.mark.parametrize("how", ["variable", "file", "preload", "no /proc", "no map", "no twin", "broken twin", "odd entry"])
    def test_it_falls_back_to_qemu(self, how: str, box: Box) -> None:
        sed = "echo a | sed s/a/b/"
        assert box.sh(sed).startswith("native|sed|")
        match how:
            case "variable":
                sed = f"export DEBKIT_ACCEL=off; {sed}"
            case "file":
                (box.path / "off").touch()
            case "preload":
                sed = f": >/tmp/preload; cp /tmp/preload /etc/ld.so.preload; {sed}; rm /etc/ld.so.preload"
            case "no /proc":
                sed = f"umount /proc; {sed}"
            case "no map":
                shutil.rmtree(box.path / "map")
            case "no twin":
                (box.path / "sed").unlink()
            case "broken twin":
                (box.path / "sed").write_bytes(b"\x7fELF, or not")
            case "odd entry":
                box.map("/usr/bin/sed").write_text("always\n" + "/x" * 3000 + "\n")
            case _:
                pytest.fail(how)
        assert box.sh(sed) == "b"

    def test_a_twin_runs_beside_the_libraries_that_it_was_made_of(self, box: Box) -> None:
        libraries = assemble.loads(box.root, "/usr/bin/sed", ARM64)
        assert {Path(path).name for path in libraries} >= {"libc.so.6", "libselinux.so.1", "libpcre2-8.so.0"}
        entry = box.map("/usr/bin/sed")
        entry.unlink()
        number = entry.suffix[1:]
        assemble.enter(box.path, "/usr/bin/sed", number=number, rule="always", twin="/.native/sed", beside=libraries)
        assert box.sh("echo a | sed s/a/b/").startswith("native|sed|")
        # As an upgrade of the library alone would have it.
        libc = "/usr/lib/aarch64-linux-gnu/libc.so.6"
        changed = bytearray((box.root / libc[1:]).read_bytes())
        changed[build_id_at(box.root, libc)] ^= 1
        (box.root / "changed").write_bytes(changed)
        assert box.sh(f"mount --bind /changed {libc}; echo a | sed s/a/b/") == "b"

    @pytest.mark.parametrize(
        "lines",
        [
            "{path} 0123456789abcdef\n",
            "/usr/lib/gone.so {id}\n",
            "{path} {id}",
            "{path}\n",
            "{path} \n",
            "/dev/null {id}\n",
            " {id}\n",
        ],
    )
    def test_with_other_libraries_it_is_emulated(self, lines: str, box: Box) -> None:
        path, number = next(iter(assemble.loads(box.root, "/usr/bin/sed", ARM64).items()))
        entry = box.map("/usr/bin/sed")
        before = entry.read_text()
        right = f"{path} {number[:16]}\n"
        entry.write_text(f"{before}\n{right}")
        assert box.sh("echo a | sed s/a/b/").startswith("native|sed|")
        entry.write_text(f"{before}\n{right}{lines.format(path=path, id=number[:16])}")
        assert box.sh("echo a | sed s/a/b/") == "b"

    def test_ldd_tells_of_the_foreign_program(self, box: Box) -> None:
        assert "ld-linux-aarch64.so.1" in box.sh("LD_TRACE_LOADED_OBJECTS=1 sed")

    def test_the_plugin_is_replaced_for_the_twin_alone(self, box: Box) -> None:
        box.map("/usr/bin/echo", "linker")
        assert box.sh(f"/usr/bin/echo -plugin {PLUGIN} x") == "native|/usr/bin/echo|-plugin|/.native/liblto_plugin.so|x|files|"
        (box.path / "echo").unlink()
        assert box.sh(f"/usr/bin/echo -plugin {PLUGIN} x") == f"-plugin {PLUGIN} x"

    def test_a_program_of_nothing_but_code_runs(self, box: Box) -> None:
        (box.root / "answer").write_bytes(program(ARM64))
        (box.root / "answer").chmod(0o755)
        assert box.enter("/answer").code == ANSWER

    def test_a_program_that_may_be_executed_but_not_read_runs(self, box: Box) -> None:
        user = "setpriv --reuid 1000 --clear-groups --"
        script = f"cp /usr/bin/echo /tmp; chmod 711 /tmp/echo; {user} /tmp/echo a; {user} cat /tmp/echo"
        assert box.sh(script) == "a\ncat: /tmp/echo: Permission denied"

    def test_roots_inside_the_root_have_an_emulator_too(self, box: Box) -> None:
        (box.root / "answer").write_bytes(program(ARM64))
        (box.root / "answer").chmod(0o755)
        assert box.sh("mkdir /tmp/inner; cp /answer /tmp/inner; chroot /tmp/inner /answer; echo $?") == f"{ANSWER}"

    def test_only_without_qemu_it_gives_up(self, box: Box) -> None:
        (box.path / "dispatch").unlink()
        (box.path / "bare").rename(box.path / "dispatch")
        assert box.sh("echo a | grep a") == "a"
        (box.path / "qemu").unlink()
        done = box.enter("/usr/bin/ls")
        assert (done.code, done.stdout) == (126, "debkit: /.native/qemu cannot be executed\n")
        assert box.enter("/usr/bin/sed").code == NATIVE

    def test_run_by_hand_it_says_what_it_is(self, box: Box, run: Processes) -> None:
        done = run(Command(argv=(os.fspath(box.path / "dispatch"), "x"), ok=ANY_CODE))
        assert done.code == 126
        assert "binfmt_misc" in done.stdout

    def test_it_works_in_many_processes_at_once(self, box: Box) -> None:
        assert box.sh("for i in 1 2 3 4 5 6 7 8; do sed $i & done | sort; wait").splitlines() == [
            f"native|sed|{i}|files|" for i in range(1, 9)
        ]


@needs_own_handlers
@pytest.mark.parametrize("arch", ["armhf", "ppc64el", "riscv64", "s390x"])
def test_other_architectures(arch: str, box: Box) -> None:
    """A program of 32 bit, and one of the other byte order, by their magic, build-id and qemu. The head is enough for a twin."""
    qemu = shutil.which(f"qemu-{ARCHES[arch].qemu}-static") or shutil.which(f"qemu-{ARCHES[arch].qemu}")
    assert qemu, "qemu-user-static is not installed: make setup"
    (box.path / "qemu").unlink()
    shutil.copy(qemu, box.path / "qemu")
    other = replace(box, arch=arch)
    for name, content in (("answer", program(ARCHES[arch])), ("head", (HEADS / arch).read_bytes())):
        (box.root / name).write_bytes(content)
        (box.root / name).chmod(0o755)
    assert other.enter("/answer").code == ANSWER
    other.map("/head")
    assert other.enter("/head", "x").stdout == "native|/head|x|files|\n"


@needs_own_handlers
class TestTrace:
    SCRIPT = "ls /dev/null; sed x; bash --version | cat >/dev/null"
    LINES = (
        "emulated /usr/bin/bash",
        "emulated /usr/bin/cat",
        "emulated /usr/bin/dash",
        "emulated /usr/bin/ls",
        "native /usr/bin/sed",
    )

    def test_each_program_is_told_in_a_file(self, box: Box, tmp_path: Path) -> None:
        trace = tmp_path / "trace"
        trace.touch()
        box.sh(self.SCRIPT, trace)
        assert tuple(sorted(trace.read_text().splitlines())) == self.LINES

    def test_without_proc_it_tells_the_path_that_was_called(self, box: Box, tmp_path: Path) -> None:
        trace = tmp_path / "trace"
        trace.touch()
        box.sh("umount /proc; /bin/ls /dev/null", trace)
        assert trace.read_text().splitlines()[-1] == "emulated /bin/ls"

    def test_a_reader_gets_them_through_a_fifo(self, box: Box, tmp_path: Path) -> None:
        trace = tmp_path / "trace"
        os.mkfifo(trace)
        reader = os.open(trace, os.O_RDONLY | os.O_NONBLOCK)
        box.sh(self.SCRIPT, trace)
        told = os.read(reader, 65536).decode()
        os.close(reader)
        assert tuple(sorted(told.splitlines())) == self.LINES

    def test_what_cannot_be_told_is_left(self, box: Box, tmp_path: Path) -> None:
        """No reader, one who does not read, a file that may not grow, one that is read-only, and none."""
        sed = "native|sed|x|files|"
        trace, file = tmp_path / "trace", tmp_path / "file"
        os.mkfifo(trace)
        assert box.sh("sed x", trace) == sed
        reader = os.open(trace, os.O_RDONLY | os.O_NONBLOCK)
        writer = os.open(trace, os.O_WRONLY | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        assert box.sh("sed x", trace) == sed
        os.close(reader)
        os.close(writer)
        file.touch()
        assert box.sh("ulimit -f 0; sed x", file) == sed
        file.chmod(0o400)
        assert box.sh("sed x", file) == sed
        assert box.sh("sed x") == sed
        (box.path / "trace").unlink()
        assert box.sh("sed x") == sed

    def test_names_cannot_forge_lines(self, box: Box, tmp_path: Path) -> None:
        trace = tmp_path / "trace"
        trace.touch()
        box.sh("cd /tmp; cp /usr/bin/true 'x\nnative y'; './x\nnative y'", trace)
        assert "emulated /tmp/x?native y" in trace.read_text().splitlines()

    def test_lines_of_programs_at_once_do_not_mix(self, box: Box, tmp_path: Path) -> None:
        trace = tmp_path / "trace"
        trace.touch()
        box.sh("for i in 1 2 3 4; do (for j in 1 2 3 4 5; do sed x; done) & done; wait", trace)
        assert set(trace.read_text().splitlines()) == {"native /usr/bin/sed", "emulated /usr/bin/dash"}


@needs_own_handlers
def test_the_machines_own_handlers_are_not_touched(box: Box) -> None:
    before = {path.name: path.read_text() for path in BINFMT.iterdir() if path.name != "register"}
    assert box.enter("/usr/bin/sed").code == NATIVE
    assert {path.name: path.read_text() for path in BINFMT.iterdir() if path.name != "register"} == before
