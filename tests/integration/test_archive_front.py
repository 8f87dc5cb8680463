"""The front page as a browser has it, and as a validator does."""

from __future__ import annotations

import os
import re
import signal
import struct
import urllib.request
import zlib
from typing import TYPE_CHECKING

import pytest

from debkit.archive import publish
from debkit.chroot import roots
from debkit.config import ChrootConfig
from debkit.run import Command
from tests.command import Project, is_three_parts

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.run import Processes
    from tests.publishing import Upload

CHROMIUM = (
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--no-first-run", "--user-data-dir=/tmp/profile", "--virtual-time-budget=2000",
)  # fmt: skip
LIGHT, DARK = "--blink-settings=preferredColorScheme=1", "--blink-settings=preferredColorScheme=0"


def test_the_page_is_valid(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    publish(run, config, make_upload(), keys)
    publish(run, config, make_upload(suite="sid", version="1.0~sid1"), keys)
    assert run(Command(argv=("tidy", "-errors", "-quiet", os.fspath(config.repo / "index.html")))).stdout == ""


def test_it_is_served_until_ctrl_c(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    publish(run, config, make_upload(), keys)
    server = Project(config.project).start("repo", "serve", "--port", "0")
    assert server.stderr
    url = re.findall(r"is served at (\S+) until Ctrl-C", server.stderr.readline())[0]
    for name in ("", "INSTALL.md", "debkit.sources", "dists/trixie/InRelease"):
        with urllib.request.urlopen(f"{url}{name}") as answer:  # noqa: S310 (http)
            assert answer.status == 200
    server.send_signal(signal.SIGINT)
    said = server.stderr.read()  # communicate would lose what was read ahead with the first line
    assert server.wait(30) == 0
    assert "error" not in said
    assert f"curl -fsSL {url}debkit.sources | sed 's|^URIs:.*|URIs: {url}|' | sudo tee" in said


def test_nothing_is_served_where_there_is_no_archive(tmp_path: Path) -> None:
    ended = Project(tmp_path).debkit("repo", "serve", "--port", "0")
    assert ended.code == 3
    assert is_three_parts(ended)
    assert "is served at" not in ended.err


def test_nothing_is_served_where_nothing_was_published(config: Config) -> None:
    ended = Project(config.project).debkit("repo", "serve", "--port", "0")
    assert (ended.code, is_three_parts(ended)) == (14, True)
    assert f"{config.repo} is empty" in ended.err
    assert "is served at" not in ended.err


@pytest.mark.slow
def test_a_browser_shows_it_light_and_dark(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, *, debkit_cache: Path, tmp_path: Path
) -> None:
    publish(run, config, make_upload(), keys)
    shots = tmp_path / "shots"
    shots.mkdir(mode=0o777)
    shots.chmod(0o777)
    places = ((config.repo / "index.html", "/srv/index.html"),)
    with roots.tools(run, "trixie", ("chromium",), config=ChrootConfig()) as root:

        def browse(*words: str) -> str:
            argv = root.argv((*CHROMIUM, *words, "file:///srv/index.html"), binds=((shots, "/mnt"),), read_only=places)
            return run(Command(argv=argv, separate=True, timeout=120)).stdout

        page = browse("--dump-dom")
        for name, scheme in (("light", LIGHT), ("dark", DARK)):
            browse(scheme, "--window-size=800,1000", f"--screenshot=/mnt/{name}.png")
    text = re.sub(r"<style>.*?</style>|<[^>]+>", "", page, flags=re.DOTALL)
    assert "Debian 13 (trixie)" in text
    assert re.search(r"sudo apt-get .*update", text)
    assert re.search(r"hello-debkit\s+1\.0\s", text)
    assert re.search(r"1\.0\s*amd64, arm64\s", text)
    assert luminance(shots / "light.png") > 240
    assert luminance(shots / "dark.png") < 40


def luminance(picture: Path) -> float:
    """Give the mean luminance, from 0 to 255, of a PNG's first line of pixels, which is nothing but the page's ground.

    As ITU-R BT.601 weighs the colours. Of a first line each byte is as it is, or less the one of the pixel before, or less half
    of that (PNG, 9.2: None and Up, Sub and Paeth, Average).
    """
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {b"IHDR": b"", b"IDAT": b""}, 8
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind in chunks:
            chunks[kind] += data[at + 8 : at + 8 + size]
        at += size + 12
    width: int
    width, _, depth, colours = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (depth, colours in {2, 6}) == (8, True), "red, green and blue, with or without alpha, of a byte each"
    step = 3 if colours == 2 else 4
    line: list[int]
    how, *line = zlib.decompress(chunks[b"IDAT"])[: 1 + width * step]
    share = {0: 0.0, 1: 1.0, 2: 0.0, 3: 0.5, 4: 1.0}[how]
    for place in range(step, len(line)):
        line[place] = (line[place] + int(line[place - step] * share)) % 256
    red, green, blue = (sum(line[colour::step]) / width for colour in range(3))
    return 0.299 * red + 0.587 * green + 0.114 * blue
