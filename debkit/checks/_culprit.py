"""What of a varied build stands in a file that differs: its path, its time, its host name. It is a guess, and told as one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.model import Variation

MONTHS = (  # in C, and in the French of LOCALE
    "Jan|janv", "Feb|févr", "Mar|mars", "Apr|avr", "May|mai", "Jun|juin",
    "Jul|juil", "Aug|août", "Sep|sept", "Oct|oct", "Nov|nov", "Dec|déc",
)  # fmt: skip
GZIP = b"\x1f\x8b\x08"  # then a byte of flags and the time, little endian (RFC 1952)
EPOCH = re.compile(rb"(?<!\d)[12]\d{9}(?!\d)")


@dataclass(frozen=True, slots=True)
class Culprit:
    """A lintian-like tag, and what to say."""

    tag: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """When the varied build ran, in seconds since the epoch by the real clock."""

    began: float
    ended: float

    def spans(self, variation: Variation) -> tuple[tuple[float, float], ...]:
        """Give what its clock said, and what the files that it wrote bear."""
        return tuple((self.began + ahead - 1, self.ended + ahead + 1) for ahead in {0, variation.clock})

    def days(self, variation: Variation) -> Iterator[datetime]:
        """Give the days that it can have printed, in UTC and in its own time zone (in TZ the sign is the other way round)."""
        hours = {0, -int(variation.timezone.removeprefix("GMT") or 0)}
        for start, end in self.spans(variation):
            for zone in (timezone(timedelta(hours=each)) for each in hours):
                day, last = datetime.fromtimestamp(start, zone), datetime.fromtimestamp(end, zone).date()
                while day.date() <= last:
                    yield day
                    day += timedelta(days=1)


def culprits(first: bytes, second: bytes, variation: Variation, period: Period) -> tuple[Culprit, ...]:
    """Say what in `second`, of the varied build, is not in `first`; the likeliest first."""
    found = []
    if variation.path and variation.path.encode() in second and variation.path.encode() not in first:
        found.append(Culprit("build-path-in-package", f"its build path {variation.path} is in it"))
    if when := _moment(first, second, variation, period):
        found.append(Culprit("timestamp-in-package", f"the time of its build is in it: {when}"))
    if variation.host:
        host = re.compile(rb"\b" + re.escape(variation.host.encode()) + rb"\b")
        if host.search(second) and not host.search(first):
            found.append(Culprit("host-name-in-package", f"its host name {variation.host} is in it"))
    return tuple(found)


def _moment(first: bytes, second: bytes, variation: Variation, period: Period) -> str:
    """Find a date or a time of the varied build."""
    spans = period.spans(variation)
    if second.startswith(GZIP) and _within(stamp := int.from_bytes(second[4:8], "little"), spans):
        return f"{stamp} in gzip's header (gzip -n leaves it out)"
    numbers: set[bytes] = {*EPOCH.findall(second)} - {*EPOCH.findall(first)}
    if within := sorted(number for number in numbers if _within(int(number), spans)):
        return within[0].decode()
    dates = re.compile("|".join(sorted({form for day in period.days(variation) for form in _forms(day)})).encode(), re.IGNORECASE)
    told = set(dates.findall(first))
    new: list[bytes] = [date for date in dates.findall(second) if date not in told]
    return new[0].decode(errors="replace").strip() if new else ""


def _within(stamp: int, spans: tuple[tuple[float, float], ...]) -> bool:
    return any(start <= stamp <= end for start, end in spans)


def _forms(day: datetime) -> Iterator[str]:
    """Give patterns of how a day is written, with what may be the hour behind it: that differs also within one day."""
    month, rest = f"(?:{MONTHS[day.month - 1]})", r"(?:[T, ]{1,2}(?:\d{4} )?\d\d:?\d\d(?::?\d\d)?)?"
    yield rf"\b{day:%Y}[-/.]?{day:%m}[-/.]?{day:%d}{rest}"
    yield rf"\b(?:{day:%d}[./]{day:%m}|{day:%m}[./]{day:%d})[./]{day:%Y}{rest}"
    yield rf"\b{month}\w*\.?[ -]{{1,2}}0?{day.day}\b{rest}"
    yield rf"\b0?{day.day}\.?[ -]{month}{rest}"
