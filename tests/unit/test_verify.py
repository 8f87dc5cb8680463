"""Comparing what two ways of building made, and what is said of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.config import BuildConfig, Config
from debkit.console import Console
from debkit.errors import AccelDifference, BuildError, Interrupted
from debkit.pipeline import verify
from debkit.pipeline.verify import DIFFERS, IDENTICAL, MISSING, SURPLUS, Trial, Verdict, compare, difference, foreign
from tests.packages import make_deb

if TYPE_CHECKING:
    from collections.abc import Callable

    from debkit.errors import DebkitError
    from debkit.pipeline.execute import Shift
    from debkit.run import Processes


def verdict(package: str, word: str, explanation: Path | None = None) -> Verdict:
    return Verdict(source="x", version="1", suite="trixie", arch="arm64", package=package, verdict=word, explanation=explanation)


def trial(*verdicts: Verdict) -> Trial:
    return Trial(emulated_seconds=10.0, accelerated_seconds=1.0, verdicts=verdicts)


def test_every_byte_of_every_package_is_compared(tmp_path: Path, run: Processes) -> None:
    debs: dict[str, list[Path]] = {}
    for way, names in (("emulated", ("same", "other", "gone")), ("accelerated", ("same", "other", "new"))):
        (tmp_path / way).mkdir()
        debs[way] = [make_deb(run, tmp_path / way, name) for name in names]
    other = tmp_path / "accelerated/other_1.0_all.deb"
    data = bytearray(other.read_bytes())
    data[-1] ^= 1  # of the same size
    other.write_bytes(data)
    same = tmp_path / "accelerated/same_1.0_all.deb"
    same.write_bytes((tmp_path / "emulated/same_1.0_all.deb").read_bytes())
    assert compare(tuple(debs["emulated"]), tuple(debs["accelerated"])) == {
        "gone_1.0_all.deb": MISSING,
        "new_1.0_all.deb": SURPLUS,
        "other_1.0_all.deb": DIFFERS,
        "same_1.0_all.deb": IDENTICAL,
    }


def test_equal_size_and_time_do_not_make_files_equal(tmp_path: Path) -> None:
    files = []
    for way in ("a", "b"):
        (tmp_path / way).mkdir()
        files.append(tmp_path / way / "x.deb")
        files[-1].write_text(way)
        os.utime(files[-1], (0, 0))
    assert compare((files[0],), (files[1],)) == {"x.deb": DIFFERS}


def test_identical_packages_are_no_error() -> None:
    assert difference((trial(verdict("x.deb", IDENTICAL)), trial(verdict("y.deb", IDENTICAL)))) is None


@pytest.mark.parametrize("word", [DIFFERS, MISSING, SURPLUS])
def test_anything_else_is_an_error_with_a_next_step(word: str) -> None:
    wrong = verdict("y.deb", word, Path("/dist/verify/y.deb.txt") if word == DIFFERS else None)
    failure = difference((trial(verdict("x.deb", IDENTICAL), wrong),))
    assert isinstance(failure, AccelDifference)
    assert failure.exit_code == 21
    assert failure.what == "1 of 2 packages are not the same emulated and accelerated: y.deb"
    assert failure.hint == (
        "less /dist/verify/y.deb.txt" if word == DIFFERS else "compare dist/verify/emulated with dist/verify/accelerated"
    )


def test_foreign_architectures_are_those_of_the_configuration_or_the_other_usual_one(tmp_path: Path) -> None:
    config = Config(project=tmp_path, build=BuildConfig(arches=("amd64", "riscv64", "arm64")))
    assert foreign(config, "amd64") == ("riscv64", "arm64")
    only = Config(project=tmp_path, build=BuildConfig(arches=("amd64",)))
    assert foreign(only, "amd64") == ("arm64",)
    assert foreign(only, "arm64") == ("amd64",)
    assert foreign(Config(project=tmp_path, build=BuildConfig(arches=("arm64",))), "arm64") == ("amd64",)


@pytest.fixture
def proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Trial]]:
    """`verify` where nothing is built: of each source it is laid down what its packages are, or that it fails."""

    def call(**sources: Verdict | DebkitError) -> list[Trial]:
        def both_ways(shift: Shift, suite: str, trials: list[Trial]) -> None:
            assert suite == "trixie"
            match sources[str(shift.plan)]:
                case Verdict() as found:
                    trials.append(trial(found))
                case failure:
                    raise failure

        monkeypatch.setattr(verify, "prepared", lambda request, *_: (request.where, None))
        monkeypatch.setattr(verify, "demand_acceleration", lambda *_: "amd64")
        monkeypatch.setattr(verify, "accelerator_for", lambda *_: None)
        monkeypatch.setattr(verify, "_verify", both_ways)
        told: list[Trial] = []
        try:
            verify.verify(
                tuple(sources), Config(project=tmp_path), Console(), suites=("trixie",), arches=("arm64",), tell=told.extend
            )
        finally:
            report = json.loads((tmp_path / "dist/verify/report.json").read_text())
            assert report["outcome"] == ("succeeded" if told == SAME else "failed")
        return told

    return call


SAME = [trial(verdict("x.deb", IDENTICAL)), trial(verdict("y.deb", IDENTICAL))]
FAILED = BuildError("x: package failed", cause="why", hint="next")


def test_each_source_has_its_turn(proven: Callable[..., list[Trial]]) -> None:
    assert proven(x=verdict("x.deb", IDENTICAL), y=verdict("y.deb", IDENTICAL)) == SAME


def test_also_after_one_that_fails_whose_error_is_the_end(
    proven: Callable[..., list[Trial]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BuildError, match="x: package failed"):
        proven(x=FAILED, y=verdict("y.deb", DIFFERS))
    err = capsys.readouterr().err
    assert "x for trixie: x: package failed" in err
    assert "1 of 1 packages are not the same emulated and accelerated: y.deb" in err


def test_an_interrupt_ends_it_at_once(proven: Callable[..., list[Trial]]) -> None:
    with pytest.raises(Interrupted):
        proven(x=Interrupted(2), y=AssertionError("never reached"))
