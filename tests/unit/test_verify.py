"""Comparing what two ways of building made, and what is said of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.config import BuildConfig, Config
from debkit.console import Console, JobProgress
from debkit.errors import AccelDifference, BuildError, Interrupted
from debkit.model import Via
from debkit.pipeline import verify
from debkit.pipeline.verify import Likeness, Trial, Verdict, compare, difference, foreign
from debkit.report import plain
from tests.jobs import make_source
from tests.packages import make_deb
from tests.shifts import built, shift_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from debkit.errors import DebkitError
    from debkit.pipeline.execute import Shift
    from debkit.run import Processes


def verdict(package: str, word: Likeness, explanation: Path | None = None) -> Verdict:
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
        "gone_1.0_all.deb": Likeness.MISSING,
        "new_1.0_all.deb": Likeness.SURPLUS,
        "other_1.0_all.deb": Likeness.DIFFERENT,
        "same_1.0_all.deb": Likeness.IDENTICAL,
    }


def test_equal_size_and_time_do_not_make_files_equal(tmp_path: Path) -> None:
    files = []
    for way in ("a", "b"):
        (tmp_path / way).mkdir()
        files.append(tmp_path / way / "x.deb")
        files[-1].write_text(way)
        os.utime(files[-1], (0, 0))
    assert compare((files[0],), (files[1],)) == {"x.deb": Likeness.DIFFERENT}


def test_identical_packages_are_no_error() -> None:
    assert difference((trial(verdict("x.deb", Likeness.IDENTICAL)), trial(verdict("y.deb", Likeness.IDENTICAL)))) is None


@pytest.mark.parametrize("word", sorted(set(Likeness) - {Likeness.IDENTICAL}))
def test_anything_else_is_an_error_with_a_next_step(word: Likeness) -> None:
    wrong = verdict("y.deb", word, Path("/dist/verify/y.deb.txt") if word == Likeness.DIFFERENT else None)
    failure = difference((trial(verdict("x.deb", Likeness.IDENTICAL), wrong),))
    assert isinstance(failure, AccelDifference)
    assert failure.exit_code == 21
    assert failure.what == "1 of 2 packages are not the same emulated and accelerated: y.deb"
    assert failure.hint == (
        "less /dist/verify/y.deb.txt"
        if word == Likeness.DIFFERENT
        else "compare dist/verify/emulated with dist/verify/accelerated"
    )


def test_programs_are_told_in_the_same_words_as_people() -> None:
    told = [each["verdict"] for each in plain(trial(*(verdict("x.deb", likeness) for likeness in Likeness)))["verdicts"]]
    assert json.loads(json.dumps(told)) == ["identical", "differs", "only emulated", "only accelerated"]


def test_what_differs_is_explained_and_all_that_is_not_identical_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    found = {f"{likeness.name.lower()}.deb": likeness for likeness in Likeness}
    text = tmp_path / "different.deb.txt"
    text.write_text("a byte\n")
    monkeypatch.setattr(verify, "compare", lambda *_: found)
    monkeypatch.setattr(verify, "explain", lambda *_: text)
    emulated, accelerated = built(Via.EMULATED), built(Via.ACCELERATED)
    shift = shift_of(tmp_path, Via.ACCELERATED)
    verdicts = tuple(verify._judged(shift, make_source(), emulated, accelerated, JobProgress("x", shift.console)))
    assert [(each.verdict, each.explanation) for each in verdicts] == [
        (likeness, text if likeness is Likeness.DIFFERENT else None) for likeness in Likeness
    ]
    assert capsys.readouterr().err.splitlines() == [
        "identical: identical.deb",
        "warning: differs: different.deb",
        "warning: only emulated: missing.deb",
        "warning: only accelerated: surplus.deb",
    ]


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


SAME = [trial(verdict("x.deb", Likeness.IDENTICAL)), trial(verdict("y.deb", Likeness.IDENTICAL))]
FAILED = BuildError("x: package failed", cause="why", hint="next")


def test_each_source_has_its_turn(proven: Callable[..., list[Trial]]) -> None:
    assert proven(x=verdict("x.deb", Likeness.IDENTICAL), y=verdict("y.deb", Likeness.IDENTICAL)) == SAME


def test_also_after_one_that_fails_whose_error_is_the_end(
    proven: Callable[..., list[Trial]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BuildError, match="x: package failed"):
        proven(x=FAILED, y=verdict("y.deb", Likeness.DIFFERENT))
    err = capsys.readouterr().err
    assert "x for trixie: x: package failed" in err
    assert "1 of 1 packages are not the same emulated and accelerated: y.deb" in err


def test_an_interrupt_ends_it_at_once(proven: Callable[..., list[Trial]]) -> None:
    with pytest.raises(Interrupted):
        proven(x=Interrupted(2), y=AssertionError("never reached"))
