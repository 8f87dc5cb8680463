"""Release notes from commits."""

from __future__ import annotations

import pytest

from debkit.release.notes import escaped, written
from debkit.source import Change


def commits(*subjects: str) -> tuple[Change, ...]:
    return tuple(Change(f"{number}", subject) for number, subject in enumerate(subjects))


def test_conventional_commits_stand_by_what_users_look_for() -> None:
    notes = written(commits("chore: tidy", "fix(parser): end at last", "feat!: drop the old form", "feat: greet", "docs: say so"))
    assert notes == (
        "### Breaking changes\n\n- drop the old form\n"
        "\n### Features\n\n- greet\n"
        "\n### Fixes\n\n- parser: end at last\n"
        "\n### Documentation\n\n- say so\n"
        "\n### Chores\n\n- tidy\n"
    )


def test_rooms_stand_by_name_and_the_rest_at_the_end() -> None:
    notes = written(commits("checks: service: boot", "no prefix", "archive: link", "checks: two", 'Revert "x: y"'))
    assert notes == (
        '### archive\n\n- link\n\n### checks\n\n- service: boot\n- two\n\n### Other changes\n\n- no prefix\n- Revert "x: y"\n'
    )


def test_without_prefixes_there_are_no_headings() -> None:
    assert written(commits("one", "two")) == "- one\n- two\n"


def test_trailers_of_gbp_are_honoured() -> None:
    changes = (
        Change("1", "hidden", dch=frozenset({"ignore"})),
        Change("2", "told", "First.\n\nSecond #1.", frozenset({"full"})),
        Change("3", "short", "Why."),
    )
    assert written(changes) == "- told\n\n  First.\n\n  Second #&#8203;1.\n- short\n"
    assert written(changes[:1]) == "No changes.\n"


def test_a_footer_tells_of_a_breaking_change() -> None:
    change = Change("1", "fix: mend", "Why.\n\nBREAKING CHANGE: the old form is gone")
    assert written((change,)) == "### Breaking changes\n\n- mend\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thanks @someone and @org/team", "thanks @&#8203;someone and @&#8203;org/team"),
        ("closes #12, o/r#3, GH-4", "closes #&#8203;12, o/r#&#8203;3, GH-&#8203;4"),
        ("*a* _b_ `c` [d](e) <f> ~g~ h|i \\j &amp; $k$",
         r"\*a\* \_b\_ \`c\` \[d\](e) \<f\> \~g\~ h\|i \\j \&amp; \$k\$"),
        ("# title", r"\# title"),
        ("1. first", r"1\. first"),
        ("- item", r"\- item"),
        ("+1", r"\+1"),
        ("1.0 is out", "1.0 is out"),
        ("a@b.org # C#", "a@&#8203;b.org # C#"),
        ("#1 first", r"\#&#8203;1 first"),
    ],
)  # fmt: skip
def test_nothing_is_markup_and_nobody_is_pinged(text: str, expected: str) -> None:
    assert escaped(text) == expected
