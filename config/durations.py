"""Durations as people write them: `2d`, `1h30m`, `10m`, `1s`, `500ms`; a bare number is seconds.

The canonical text uses days, hours, minutes, seconds and milliseconds, biggest first, without empty parts.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta

from config.errors import Fault, InvalidInput

LONGEST = timedelta(days=3660)
CURE = "Write it like 2d, 1h30m, 10m, 30s or 500ms."

_UNITS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|[wdhms])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse(value: object) -> timedelta:
    """The length of time a document's value stands for; a number means seconds.

    Raises InvalidInput for anything else, for negative lengths and for more than ten years.
    """
    if isinstance(value, timedelta):
        return _bounded(value, str(value))
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InvalidInput([Fault("", f"{value!r} is not a duration.", CURE)])
    if isinstance(value, str):
        return _bounded(_from_text(value.strip()), value)
    if not math.isfinite(value) or abs(value) > LONGEST.total_seconds():
        raise InvalidInput([Fault("", f"{value} is not a duration that makes sense.", CURE)])
    return _bounded(timedelta(seconds=value), str(value))


def seconds(value: object) -> float:
    """The same as parse, in seconds."""
    return parse(value).total_seconds()


def is_duration(value: object) -> bool:
    """Whether parse would accept the value."""
    try:
        parse(value)
    except InvalidInput:
        return False
    return True


def to_text(length: timedelta) -> str:
    """The canonical text of a length of time (milliseconds are the finest part), `0s` when there is none."""
    rest = round(length / timedelta(milliseconds=1))
    sign, rest = ("-" if rest < 0 else ""), abs(rest)
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return sign + ("".join(parts) or "0s")


def split(value: object) -> tuple[int, timedelta]:
    """The same length as whole days on the clock (from weeks and days) and the exact rest (RFC 5545, 3.3.6).

    `2d` are two days on the clock, whatever daylight saving does meanwhile; `48h` are exactly so many hours.
    """
    whole = parse(value)
    if not isinstance(value, str):
        return 0, whole
    nominal = sum(float(count) * _UNITS[unit] for count, unit in _PART.findall(value) if unit in "wd")
    days = int(nominal // _UNITS["d"])
    return days, whole - timedelta(days=days)


def joined(days: int, exact: timedelta) -> str:
    """The text that `split` reads as these days on the clock and this exact rest: `2d`, `24h`, `1d30m`."""
    hours, rest = divmod(exact, timedelta(hours=1))
    parts = [f"{days}d" if days else "", f"{hours}h" if hours else "", to_text(rest) if rest else ""]
    return "".join(parts) or "0s"


def _from_text(text: str) -> timedelta:
    if not _WHOLE.fullmatch(text):
        raise InvalidInput([Fault("", f"'{text[:60]}' is not a duration.", CURE)])
    length = sum(float(count) * _UNITS[unit] for count, unit in _PART.findall(text))
    return timedelta(milliseconds=min(length, 2 * LONGEST / timedelta(milliseconds=1)))


def _bounded(length: timedelta, text: str) -> timedelta:
    if length < timedelta(0):
        raise InvalidInput([Fault("", f"'{text}' is negative; a duration is never.", CURE)])
    if length > LONGEST:
        raise InvalidInput([Fault("", f"'{text}' is longer than ten years.", CURE)])
    return length
