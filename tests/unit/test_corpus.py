"""What the cases of the corpus say is whole."""

from __future__ import annotations

import re

import pytest

from debkit import checks
from tests import corpus

KEYS = {
    "also", "arch", "change", "fields", "files", "gate", "health", "kept", "leak", "like", "packages", "patience", "previous",
    "tag", "text", "tracker", "twin", "wrong",
}  # fmt: skip


@pytest.mark.parametrize("name", corpus.names())
def test_a_case_says_what_is_wrong_who_tells_of_it_and_how(name: str) -> None:
    case = corpus.read(name)
    assert case.said.keys() <= KEYS
    assert bool(case.gate) is not name.startswith("good-")
    if case.gate:
        assert {"wrong", "tag", "text"} <= case.said.keys()
        re.compile(case.said["text"])
        for gate in (case.gate, *case.also):
            checks.find(gate)
    assert case.gate not in case.also


def test_there_are_enough() -> None:
    assert sum(bool(corpus.read(name).gate) for name in corpus.names()) >= 30
