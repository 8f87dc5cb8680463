"""GitHub as debkit reaches it: one client for every PyGithub since 1.55, what is tried again, and what a refusal means."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import github
import requests
from github import GithubException, UnknownObjectException
from urllib3.exceptions import MaxRetryError, ResponseError
from urllib3.util.retry import Retry

from debkit.errors import ConfigError, DebkitError, NetworkError, ReleaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from debkit.console import Progress
    from debkit.keys import Secret

    T = TypeVar("T")

API = "https://api.github.com"
TIMEOUT = 60  # seconds without a byte
AGAIN = "run the same command again: it goes on where this one ended"
# What can be asked for twice without being done twice. What cannot is looked for before it is asked for again.
REPEATABLE = frozenset({"GET", "HEAD", "PATCH", "DELETE"})
# Seconds before what failed in a way that passes is tried again.
PAUSES = (1, 2, 4, 8, 16)
LONGEST_WAIT = 3700  # seconds: a rate limit is lifted within the hour
UNSAID_WAIT = 60  # seconds, where GitHub limits and does not say for how long
LIMITS = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
BROKEN = HTTPStatus.INTERNAL_SERVER_ERROR  # and above
TROUBLES = (GithubException, requests.RequestException)


def limited_for(status: int, headers: Mapping[str, Any], message: str = "") -> float | None:
    """Say for how many seconds GitHub's rate limits keep one waiting, primary or secondary; None where they do not."""
    if status not in LIMITS:
        return None
    if (after := str(headers.get("retry-after") or "")).isdigit():
        return float(after)
    if str(headers.get("x-ratelimit-remaining")) == "0":
        return max(0.0, float(headers.get("x-ratelimit-reset") or 0) - time.time()) + 1
    return UNSAID_WAIT if status == HTTPStatus.TOO_MANY_REQUESTS or "rate limit" in message.lower() else None


class Patience(Retry):  # type: ignore[misc]
    """Tries again what may be asked for twice: when GitHub is broken, and when its limits say until when to wait."""

    @classmethod
    def usual(cls) -> Patience:
        return cls(
            total=len(PAUSES), connect=2, allowed_methods=REPEATABLE, status_forcelist=range(BROKEN, BROKEN + 100),
            backoff_factor=PAUSES[0], raise_on_status=False,
        )  # fmt: skip

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:  # noqa: FBT001, FBT002 (urllib3's)
        limit = method in REPEATABLE and status_code in LIMITS
        return limit or bool(super().is_retry(method, status_code, has_retry_after))

    def increment(self, method: Any = None, url: Any = None, response: Any = None, *rest: Any, **named: Any) -> Any:
        if response is not None and response.status in LIMITS:
            seconds = limited_for(response.status, response.headers)
            if seconds is None or seconds > LONGEST_WAIT:
                raise MaxRetryError(named.get("_pool"), url, ResponseError("refused"))
        return super().increment(method, url, response, *rest, **named)

    def get_retry_after(self, response: Any) -> Any:
        seconds = limited_for(response.status, response.headers)
        return super().get_retry_after(response) if seconds is None else seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who speaks to GitHub for one repository (OWNER/NAME) and one tag. `api` is where."""

    hub: Any
    token: Secret
    api: str
    repository: str
    tag: str
    progress: Progress

    def ask(self, what: str, call: Callable[[], T]) -> T:
        """Do what may be done twice. `what` follows "the token may not". Raises ReleaseError, NetworkError."""
        try:
            return call()
        except TROUBLES as problem:
            raise self.explain(problem, what) from problem

    def make(self, what: str, call: Callable[[], T], *, look: Callable[[], T | None]) -> T:
        """Do what must not be done twice: where it fails in a way that passes, look whether it was done, before trying again."""
        for pause in PAUSES:
            try:
                return call()
            except TROUBLES as problem:
                seconds = waiting(problem, pause)
                if seconds is None or seconds > LONGEST_WAIT:
                    raise self.explain(problem, what) from problem
                self.progress.phase(f"{brief(problem)}: trying again in {seconds:.0f} s")
            time.sleep(seconds)
            if (found := look()) is not None:
                return found
        return self.ask(what, call)

    def read(self, asset: Any, take: Callable[[bytes], object]) -> None:
        """Download an asset, of a draft too, and hand over its bytes. GitHub sends one on to where the bytes are."""

        def authorize(request: Any) -> Any:  # a header of ours would give way to ~/.netrc
            request.headers["Authorization"] = f"token {self.token.reveal()}"
            return request

        def download() -> None:
            with requests.Session() as session:
                session.mount(self.api, requests.adapters.HTTPAdapter(max_retries=Patience.usual()))
                headers = {"Accept": "application/octet-stream"}
                with session.get(asset.url, headers=headers, auth=authorize, stream=True, timeout=TIMEOUT) as answer:
                    if not answer.ok:
                        raise GithubException(answer.status_code, {"message": answer.reason}, answer.headers)
                    for chunk in answer.iter_content(2**20):
                        take(chunk)

        self.ask("read its releases", download)

    def explain(self, problem: Exception, what: str) -> DebkitError:
        """Say what a refusal means."""
        if isinstance(problem, requests.RequestException):
            return NetworkError(
                f"GitHub cannot be reached: {brief(problem)}",
                cause=f"there is no network, or {self.api} is not where GitHub's API is",
                hint=f"curl -I {self.api}; then {AGAIN}",
            )
        assert isinstance(problem, GithubException)  # noqa: S101
        status, said = problem.status, message(problem)
        if (seconds := limited_for(status, problem.headers or {}, said)) is not None:
            return NetworkError(
                "GitHub's rate limit is used up", cause=said or "too much was asked for", hint=f"in {seconds:.0f} s {AGAIN}"
            )
        if status >= BROKEN:
            return NetworkError(f"GitHub is broken: it answers {status}", cause=said or "an outage", hint=f"later {AGAIN}")
        if status == HTTPStatus.UNAUTHORIZED:
            return ReleaseError(
                "GitHub does not take the token",
                cause="it has expired, was revoked, or is not the whole one",
                hint="GITHUB_TOKEN=$(gh auth token) debkit release github",
            )
        if status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:  # the latter for what a token may not even see
            return ReleaseError(
                f"the token may not {what} in {self.repository}",
                cause=said or "it has no permission to write",
                hint="in the workflow's job: permissions: contents: write; a fine-grained token needs Contents: read and write",
            )
        return ReleaseError(
            f"GitHub refuses to let the token {what} in {self.repository}", cause=said or f"it answers {status}", hint=AGAIN
        )


def connect(token: Secret, *, api: str, repository: str, tag: str, progress: Progress) -> Client:
    """Make the client. PyGithub 2 wants its tokens wrapped, and has patience of its own, which knows nothing of uploads.

    Raises ConfigError for an `api` that is no URL.
    """
    if not api.startswith(("https://", "http://")):
        raise ConfigError(
            f"GITHUB_API_URL is {api!r}", cause="it is no URL, such as https://api.github.com", hint="unset GITHUB_API_URL"
        )
    options: dict[str, Any] = {"base_url": api, "timeout": TIMEOUT, "retry": Patience.usual(), "per_page": 100}
    if auth := getattr(github, "Auth", None):
        hub = github.Github(auth=auth.Token(token.reveal()), **options)
    else:
        hub = github.Github(token.reveal(), **options)
    return Client(hub=hub, token=token, api=api, repository=repository, tag=tag, progress=progress)


def waiting(problem: Exception, pause: float) -> float | None:
    """Say for how many seconds to wait before trying again; None for what waiting does not mend."""
    if not isinstance(problem, GithubException):
        return pause
    limit = limited_for(problem.status, problem.headers or {}, message(problem))
    if limit is not None:
        return max(limit, pause)
    return pause if problem.status >= BROKEN or is_taken(problem) else None


def is_taken(problem: Exception) -> bool:
    """Whether there is something of that name already, which a list that was just read may not have shown yet."""
    return isinstance(problem, GithubException) and "already_exists" in str(problem.data)


def message(problem: GithubException) -> str:
    """Give what GitHub says of a failure, in one line."""
    data = problem.data if isinstance(problem.data, dict) else {}
    details = [
        str(error.get("message") or error.get("code") or error) for error in data.get("errors") or () if isinstance(error, dict)
    ]
    return ": ".join((str(data.get("message") or ""), *details)).strip(": ")


def brief(problem: Exception) -> str:
    """Say in a few words what has failed."""
    if isinstance(problem, GithubException):
        return f"GitHub answers {problem.status}"
    return "it does not answer" if isinstance(problem, requests.Timeout) else "the connection failed"


def gone(call: Callable[[], object]) -> None:
    """Remove something that may have been removed already."""
    try:
        call()
    except UnknownObjectException:
        return
