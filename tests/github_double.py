"""A GitHub of one's own: the part of its REST interface that releases need, with a memory, and with everything that goes wrong.

`wrongs` are what it does wrong, each once; where `judge` is set, the URL of a server that knows GitHub's own description of the
interface, every request is shown to that one first.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "ghs_secretSecretSecretSecretSecret12"  # noqa: S105
REPOSITORY = "octo/hello"
RELEASES = f"/repos/{REPOSITORY}/releases"


@dataclass(slots=True)
class Wrong:
    """What goes wrong with the next request whose "METHOD PATH" has `match` in it, `times` times.

    An answer of `status` comes instead of the right one: before anything is done, or (`done`) after it. Status 0 is no answer.
    A body that is `cut` is read by half, and GitHub keeps an asset without content. `act` is called last, once all that is done.
    """

    match: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "it is broken"
    done: bool = False
    cut: bool = False
    times: int = 1
    act: Callable[[], None] | None = None


@dataclass(slots=True)
class Double:
    """The state of one repository. `digests`: whether it says what the SHA-256 of an asset is; `page`: how many a page has."""

    url: str = ""
    elsewhere: str = ""
    judge: str = ""
    tags: list[str] = field(default_factory=lambda: ["v1.0"])
    token: str = TOKEN
    digests: bool = True
    page: int = 100
    may_write: bool = True
    wrongs: list[Wrong] = field(default_factory=list)
    releases: dict[int, dict[str, Any]] = field(default_factory=dict)
    assets: dict[int, dict[str, Any]] = field(default_factory=dict)
    content: dict[int, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    hidden: int = 0  # how many times the list does not yet have the newest release
    number: int = 0

    def new_number(self) -> int:
        self.number += 1
        return self.number

    def make_release(self, **fields: Any) -> dict[str, Any]:
        number = self.new_number()
        release = {
            "id": number, "url": f"{self.url}{RELEASES}/{number}", "body": "", "name": "", "draft": False, "prerelease": False,
            "upload_url": f"{self.url}{RELEASES}/{number}/assets{{?name,label}}",
            "html_url": f"https://github.com/{REPOSITORY}/releases/tag/{fields['tag_name']}",
        } | fields  # fmt: skip
        self.releases[number] = release
        return release

    def make_asset(self, release: int, name: str, content: bytes, *, state: str = "uploaded") -> dict[str, Any]:
        number = self.new_number()
        asset = {
            "id": number, "release": release, "name": sanitized(name), "size": len(content), "state": state, "label": "",
            "content_type": "application/octet-stream", "url": f"{self.url}{RELEASES}/assets/{number}",
            "digest": f"sha256:{hashlib.sha256(content).hexdigest()}" if self.digests and state == "uploaded" else None,
        }  # fmt: skip
        self.assets[number], self.content[number] = asset, content
        return asset

    def of(self, release: int) -> list[dict[str, Any]]:
        return [asset for asset in self.assets.values() if asset["release"] == release]

    def contents(self, tag: str = "v1.0") -> dict[str, bytes]:
        """What a published release has. There is one, each asset is there once, and whole."""
        (release,) = (one for one in self.releases.values() if one["tag_name"] == tag and not one["draft"])
        assets = self.of(release["id"])
        assert len({asset["name"] for asset in assets}) == len(assets)
        assert all(asset["state"] == "uploaded" for asset in assets)
        return {asset["name"]: self.content[asset["id"]] for asset in assets}

    @property
    def uploads(self) -> list[str]:
        return [re.sub(r".*[?&]name=([^&]*).*", r"\1", line) for line in self.asked if "POST" in line and "name=" in line]

    @property
    def changes(self) -> list[str]:
        return [line for line in self.asked if not line.startswith("GET")]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: Double

    def handle_any(self) -> None:
        double, split = self.double, urlsplit(self.path)
        line = f"{self.command} {self.path}"
        double.asked.append(line)
        wrong = next((one for one in double.wrongs if one.match in line), None)
        if wrong:
            wrong.times -= 1
            if not wrong.times:
                double.wrongs.remove(wrong)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length // 2 if wrong and wrong.cut else length)
        if wrong and wrong.cut:
            self.keep_half(split)
            self.hang_up(wrong)
            return
        if double.judge and split.path.startswith("/repos"):
            self.ask_judge(body)
        answer = None if wrong and wrong.status and not wrong.done else self.answer(split.path, parse_qs(split.query), body)
        if wrong and not wrong.status:
            self.hang_up(wrong)
        elif wrong:
            if wrong.act:
                wrong.act()
            self.send(wrong.status, {"message": wrong.message}, wrong.headers)
        elif answer:
            self.send(*answer)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 (the base class's names)

    def hang_up(self, wrong: Wrong) -> None:
        if wrong.act:
            wrong.act()
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def keep_half(self, split: Any) -> None:
        if found := re.fullmatch(rf"{RELEASES}/(\d+)/assets", split.path):
            self.double.make_asset(int(found[1]), parse_qs(split.query)["name"][0], b"", state="starter")

    def ask_judge(self, body: bytes) -> None:
        """Have a request judged by GitHub's own description of it.

        That one knows nothing of an asset as bytes, has parameters without a slash, and its own examples do not fit it (500).
        """
        start, ref, rest = self.path.partition("/matching-refs/")
        path = f"{start}{ref}{rest.replace('/', '%2F')}"
        headers = {"Content-Type": self.headers["Content-Type"]} if self.headers["Content-Type"] else {}
        request = urllib.request.Request(self.double.judge + path, data=body or None, headers=headers, method=self.command)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as said:  # noqa: S310
                said.read()
        except urllib.error.HTTPError as refused:
            if HTTPStatus.BAD_REQUEST <= refused.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                self.double.verdicts.append(f"{self.command} {self.path}: {refused.code} {refused.read().decode()}")

    def answer(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[Any, ...]:
        double, authorization = self.double, self.headers.get("Authorization", "")
        if path.startswith("/objects/"):
            if authorization:
                double.leaked.append(path)
            return 200, double.content[int(path.rpartition("/")[2])]
        if authorization.partition(" ")[2] != double.token:
            return 401, {"message": "Bad credentials"}
        if not path.startswith(f"/repos/{REPOSITORY}"):
            return 404, {"message": "Not Found"}
        if self.command != "GET" and not double.may_write:
            return 403, {"message": "Resource not accessible by integration"}, {"x-ratelimit-remaining": "4990"}
        data = json.loads(body) if body and not query.get("name") else {}
        return self.answer_get(path, query) if self.command == "GET" else self.answer_change(path, query, data, body)

    def answer_get(self, path: str, query: dict[str, list[str]]) -> tuple[Any, ...]:  # noqa: PLR0911
        double = self.double
        if path == f"/repos/{REPOSITORY}":
            return 200, {"id": 1, "full_name": REPOSITORY, "url": f"{double.url}{path}"}
        if found := re.fullmatch(rf"/repos/{REPOSITORY}/git/matching-refs/tags/(.*)", path):
            return 200, [{"ref": f"refs/tags/{tag}"} for tag in double.tags if tag.startswith(found[1])]
        if path == RELEASES:
            listed = list(double.releases.values())[::-1]
            if double.hidden and listed:
                double.hidden -= 1
                listed = listed[1:]
            return self.paged(path, query, listed)
        if found := re.fullmatch(rf"{RELEASES}/(\d+)/assets", path):
            return self.paged(path, query, double.of(int(found[1])))
        if found := re.fullmatch(rf"{RELEASES}/assets/(\d+)", path):
            asset = double.assets.get(int(found[1]))
            if asset and self.headers.get("Accept") == "application/octet-stream":
                return 302, b"", {"Location": f"{double.elsewhere}/objects/{found[1]}"}  # which must not see the token
            return (200, asset) if asset else (404, {"message": "Not Found"})
        return 404, {"message": "Not Found"}

    def answer_change(  # noqa: PLR0911
        self, path: str, query: dict[str, list[str]], data: dict[str, Any], body: bytes
    ) -> tuple[Any, ...]:
        double = self.double
        if (self.command, path) == ("POST", RELEASES):
            return 201, double.make_release(**data)
        found = re.fullmatch(rf"{RELEASES}/(assets/)?(\d+)(/assets)?", path)
        assert found, path
        number, kept = int(found[2]), double.assets if found[1] else double.releases
        if number not in kept:
            return 404, {"message": "Not Found"}
        match self.command:
            case "POST":
                name = query["name"][0]
                if sanitized(name) in {asset["name"] for asset in double.of(number)}:
                    return 422, {"message": "Validation Failed", "errors": [{"code": "already_exists", "field": "name"}]}
                return 201, double.make_asset(number, name, body)
            case "PATCH":
                release = double.releases[number]
                others = (one for one in double.releases.values() if one["tag_name"] == release["tag_name"] and not one["draft"])
                if not data.get("draft") and any(one is not release for one in others):
                    return 422, {"message": "Validation Failed", "errors": [{"code": "already_exists", "field": "tag_name"}]}
                release.update(data)
                return 200, release
            case _:
                del kept[number]
                return 204, b""

    def paged(self, path: str, query: dict[str, list[str]], listed: list[Any]) -> tuple[Any, ...]:
        number, size = int(query.get("page", ["1"])[0]), min(int(query.get("per_page", ["30"])[0]), self.double.page)
        links = {}
        if number * size < len(listed):
            links = {"Link": f'<{self.double.url}{path}?per_page={size}&page={number + 1}>; rel="next"'}
        return 200, listed[(number - 1) * size : number * size], links

    def send(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        named = {"x-ratelimit-remaining": "4990", "x-ratelimit-reset": str(int(time.time()) + 3000)} | (headers or {})
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **named}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Say nothing."""


def sanitized(name: str) -> str:
    return re.sub(r"\.{2,}", ".", name.replace("~", "."))


@contextlib.contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """Give the URL at which a handler answers, on a port of the system's choice."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def double() -> Iterator[Double]:
    """A GitHub with one empty repository, whose assets' bytes are elsewhere."""
    state = Double()
    handler = type("Handler", (_Handler,), {"double": state})
    with serving(handler) as state.url, serving(handler) as state.elsewhere:
        yield state
