"""The runner, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess  # noqa: TID251  # a runner that is killed must be another process
import sys
import threading
import time
from pathlib import Path

import pytest

from debkit.errors import DiskError, Interrupted, MissingTool, NetworkError, TimeoutFailure
from debkit.run import Command, CommandFailed, Processes, end_at_home
from debkit.run.tree import descendants

CHECKOUT = Path(__file__).parents[2]


def sh(script: str, **options: object) -> Command:
    return Command(argv=("sh", "-c", script), **options)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: object, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def test_output_reaches_the_log_the_caller_and_the_tail(tmp_path: Path) -> None:
    seen: list[str] = []
    done = Processes()(sh("echo one; echo two >&2; printf three", log=tmp_path / "log"), seen.append)
    assert done.stdout.splitlines() == ["one", "two", "three"]
    assert seen == list(done.tail) == (tmp_path / "log").read_text().splitlines() == ["one", "two", "three"]


def test_standard_error_can_be_kept_apart() -> None:
    done = Processes()(sh("echo out; echo err >&2", separate=True))
    assert done.stdout == "out\n"
    assert set(done.tail) == {"out", "err"}


def test_much_input_and_output_at_once_do_not_lock_up() -> None:
    data = b"x" * 5_000_000
    assert len(Processes()(Command(argv=("cat",), stdin=data)).stdout) == len(data)


def test_a_child_that_does_not_read_its_input_is_no_error() -> None:
    assert Processes()(Command(argv=("true",), stdin=b"x" * 1_000_000)).code == 0


def test_split_characters_are_put_together() -> None:
    assert Processes()(sh(r"printf '\303'; sleep 0.1; printf '\251\n'")).stdout == "é\n"


def test_the_environment_is_an_allow_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBKIT_SIGNING_KEY", "secret")
    monkeypatch.setenv("HTTP_TOKEN", "secret")
    printed = Processes()(Command(argv=("env",), env=(("EXTRA", "1"),))).stdout
    assert "secret" not in printed
    assert "EXTRA=1" in printed
    assert "LC_ALL=C.UTF-8" in printed


def test_secrets_show_nowhere(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed) as caught:
        Processes()(sh("echo my hunter2; exit 3", secrets=("hunter2",), log=tmp_path / "log"))
    assert (
        "hunter2" not in (tmp_path / "log").read_text() + caught.value.cause + str(caught.value.hint) + caught.value.done.stdout
    )


def test_an_exit_code_that_is_not_accepted_is_an_error_with_the_tail() -> None:
    with pytest.raises(CommandFailed, match="sh exited with 3") as caught:
        Processes()(sh("echo why; exit 3"))
    assert caught.value.cause == "why"
    assert Processes()(sh("exit 3", ok=frozenset({0, 3}))).code == 3


def test_a_signal_is_told_from_an_exit_code() -> None:
    with pytest.raises(CommandFailed, match="was killed by SIGKILL"):
        Processes()(sh("kill -9 $$"))


def test_a_missing_tool_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(MissingTool) as caught:
        Processes()(Command(argv=("gbp-that-is-not-there",)))
    assert caught.value.hint == "sudo apt-get install gbp-that-is-not-there"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("tar: ./usr/bin/x: Cannot write: No space left on device", DiskError),
        ("touch: cannot touch 'x': Read-only file system", DiskError),
        ("E: Failed to fetch http://example.org/x  404  Not Found", NetworkError),
        ("W: Temporary failure resolving 'example.org'", NetworkError),
    ],
)
def test_the_machines_own_trouble_is_recognised(line: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Processes()(Command(argv=("sh", "-c", 'echo "$0"; exit 1', line)))


def test_a_timeout_ends_the_whole_tree(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(TimeoutFailure, match="ran longer than 1 s"):
        Processes()(sh(f"setsid sleep 300 & echo $! >{pids}; sleep 300 & echo $! >>{pids}; wait", timeout=1))
    assert not any(alive(int(pid)) for pid in pids.read_text().split())


def test_a_stop_from_another_thread_ends_it(tmp_path: Path) -> None:
    run = Processes()
    threading.Timer(0.5, run.stop, (signal.SIGTERM,)).start()
    with pytest.raises(Interrupted) as caught:
        run(sh("sleep 300"))
    assert caught.value.exit_code - 128 == signal.SIGTERM
    with pytest.raises(Interrupted):
        run(sh("true"))


def test_a_daemon_that_holds_the_output_open_does_not_stall_us() -> None:
    started = time.monotonic()
    done = Processes()(sh("echo done; sleep 30 & echo $!"))
    os.kill(int(done.stdout.split()[1]), signal.SIGTERM)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_debkit_ends_its_children_end(tmp_path: Path, signum: signal.Signals) -> None:
    script = f"""
import sys; sys.path.insert(0, {os.fspath(CHECKOUT)!r})
from debkit.run import Command, Processes
run = Processes()
with run.interruptible():
    run(Command(argv=("sleep", "300")))
"""
    debkit = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL, start_new_session=True)
    assert wait_for(lambda: descendants(debkit.pid))
    children = descendants(debkit.pid)
    time.sleep(0.3)
    debkit.send_signal(signum)
    debkit.wait(15)
    assert wait_for(lambda: not any(alive(child) for child in children))


def test_what_runs_at_home_in_a_place_is_ended_and_nothing_else(tmp_path: Path) -> None:
    deaf = "trap '' TERM; sleep 300 & wait; sleep 300"
    homes = (tmp_path / "work", tmp_path / "work/inner", tmp_path / "workshop")
    started = [subprocess.Popen(["sh", "-c", deaf], env={**os.environ, "HOME": os.fspath(home)}) for home in homes]
    assert wait_for(lambda: all(descendants(child.pid) for child in started))
    doomed = [pid for child in started[:2] for pid in (child.pid, *descendants(child.pid))]
    end_at_home(tmp_path / "work")
    assert not any(alive(pid) for pid in doomed)
    assert started[2].poll() is None
    end_at_home(tmp_path)
    assert [child.wait(5) for child in started] == [-signal.SIGKILL] * 3


def test_a_question_is_answered_and_the_answer_hidden(tmp_path: Path) -> None:
    ask = "stty -echo 2>/dev/null; printf 'Passphrase: '; read p </dev/tty; echo \"got $p\"; exit 2"
    done = Processes().converse(
        Command(argv=("sh", "-c", ask), ok=frozenset({2}), log=tmp_path / "log"), (("Passphrase: ", "hunter2"),)
    )
    assert "got ********" in done.stdout
    assert "hunter2" not in (tmp_path / "log").read_text()


def test_an_answer_in_which_a_secret_stands_is_whole_and_not_shown(tmp_path: Path) -> None:
    shown: list[str] = []
    done = Processes()(Command(argv=("echo", "pool/main/h"), secrets=("main",), log=tmp_path / "log"), shown.append)
    assert done.stdout == "pool/main/h\n"
    assert [*shown, *done.tail, (tmp_path / "log").read_text().splitlines()[-1]] == ["pool/********/h"] * 3


def test_a_question_without_an_answer_ends_in_an_error() -> None:
    with pytest.raises(TimeoutFailure, match="waited for an answer"):
        Processes().converse(Command(argv=("sh", "-c", "printf 'Really? '; read p </dev/tty"), timeout=1), ())
