from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from github import GithubException
from urllib3.exceptions import MaxRetryError
from urllib3.response import HTTPResponse

from debkit.console import Quiet
from debkit.errors import ConfigError, NetworkError, ReleaseError
from debkit.keys import Secret
from debkit.release import client
from debkit.release.client import Client, Patience, connect, limited_for

if TYPE_CHECKING:
    from debkit.errors import DebkitError

PERMISSION = {"x-ratelimit-remaining": "4990", "x-ratelimit-reset": "9999999999"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(client, "PAUSES", (0, 0, 0))
    return Client(hub=None, token=Secret("t"), api="https://api.example", repository="o/r", tag="v1", progress=Quiet())


def refusal(status: int, message: str = "", headers: dict[str, str] | None = None) -> GithubException:
    return GithubException(status, {"message": message}, headers or {})


@pytest.mark.parametrize(
    ("status", "headers", "message", "seconds"),
    [
        (403, PERMISSION, "Resource not accessible by integration", None),
        (403, {"retry-after": "7"}, "", 7),
        (429, {"retry-after": "7"}, "", 7),
        (429, {}, "", 60),
        (403, PERMISSION, "You have exceeded a secondary rate limit", 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, "", 1),
        (500, {"retry-after": "7"}, "", None),
    ],
)
def test_what_github_says_of_its_limits(status: int, headers: dict[str, str], message: str, seconds: float | None) -> None:
    assert limited_for(status, headers, message) == seconds


def test_an_address_that_is_no_url_is_told() -> None:
    with pytest.raises(ConfigError, match="GITHUB_API_URL is 'nonsense'"):
        connect(Secret("t"), api="nonsense", repository="o/r", tag="v1", progress=Quiet())


def test_a_limit_lasts_until_it_is_reset() -> None:
    seconds = limited_for(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{time.time() + 100:.0f}"})
    assert seconds is not None
    assert 99 < seconds < 102


def answer(status: int, **headers: str) -> HTTPResponse:
    return HTTPResponse(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_patience_repeats_what_may_be_done_twice_alone() -> None:
    patience = Patience.usual()
    assert patience.is_retry("GET", 502)
    assert patience.is_retry("PATCH", 403)
    assert patience.is_retry("DELETE", 429)
    assert not patience.is_retry("POST", 502)
    assert not patience.is_retry("POST", 403)
    assert not patience.is_retry("GET", 404)


def test_patience_waits_for_limits_and_not_for_permissions() -> None:
    patience = Patience.usual()
    limit = answer(403, X_RateLimit_Remaining="0", X_RateLimit_Reset="1")
    assert patience.increment("GET", "/", response=limit).total == patience.total - 1
    assert patience.get_retry_after(limit) == 1
    assert patience.get_retry_after(answer(503, Retry_After="9")) == 9
    for refused in (answer(403, **{name.replace("-", "_"): value for name, value in PERMISSION.items()}),
                    answer(403, Retry_After="4000")):  # fmt: skip
        with pytest.raises(MaxRetryError):
            patience.increment("GET", "/", response=refused)


@pytest.mark.parametrize(
    "passing", [refusal(502), refusal(422, "already_exists"), requests.ConnectionError(), requests.Timeout()]
)
def test_what_must_not_be_done_twice_is_looked_for_before_it_is_done_again(hub: Client, passing: Exception) -> None:
    done: list[str] = []

    def call() -> str:
        done.append("call")
        if len(done) < 4:
            raise passing
        return "made"

    def look() -> str | None:
        done.append("look")
        return None

    assert hub.make("x", call, look=look) == "made"
    assert done == ["call", "look", "call", "look", "call"]
    done.clear()
    assert hub.make("x", call, look=lambda: "found") == "found"
    assert done == ["call"]


def test_what_does_not_pass_is_not_tried_again(hub: Client) -> None:
    def call() -> Any:
        raise refusal(403, "Resource not accessible by integration", PERMISSION)

    with pytest.raises(ReleaseError, match="the token may not write releases in o/r"):
        hub.make("write releases", call, look=lambda: pytest.fail("looked"))


@pytest.mark.parametrize(
    ("problem", "error", "text"),
    [
        (refusal(401, "Bad credentials"), ReleaseError, "does not take the token"),
        (refusal(404, "Not Found"), ReleaseError, "may not write"),
        (refusal(422, "Validation Failed"), ReleaseError, "refuses to let the token write"),
        (refusal(502), NetworkError, "it answers 502"),
        (refusal(429), NetworkError, "rate limit is used up"),
        (requests.ConnectionError("ghs_secret"), NetworkError, "the connection failed"),
        (GithubException(500, None, None), NetworkError, "it answers 500"),
        (GithubException(403, "<html>", {}), ReleaseError, "may not write"),
    ],
)
def test_what_a_refusal_means(hub: Client, problem: Exception, error: type[DebkitError], text: str) -> None:
    told = hub.explain(problem, "write")
    assert isinstance(told, error)
    assert text in told.what
    assert told.cause
    assert told.hint
    assert "ghs_secret" not in f"{told.what}{told.cause}{told.hint}"


def test_a_client_is_made_with_any_pygithub_and_does_not_show_its_token() -> None:
    made = connect(Secret("ghs_secret"), api="http://127.0.0.1:9", repository="o/r", tag="v1", progress=Quiet())
    assert "ghs_secret" not in repr(made)
