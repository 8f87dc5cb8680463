"""Numbers."""

ANSWER = 42
NAMES = {"a": (1, 2.5), "b": frozenset({"x"})}


def f(x: int = 3) -> str:
    return f"{x:>{ANSWER}}"
