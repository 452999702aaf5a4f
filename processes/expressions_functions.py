"""The functions an expression may call beside CEL's own: text functions, `date`, and a `duration` that knows days.

CEL's standard text extension is not used: `replace`, `join` and `split` there have no limit on what they build, so a
short expression can fill the memory. These do the same and stop at LONGEST_TEXT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cel_expr_python import cel

from config import durations
from config.errors import InvalidInput

LONGEST_TEXT = 100_000
MOST_PARTS = 5_000
DURATION = "duration_of"
FUNCTIONS = (
    "date", "lowerAscii", "upperAscii", "trim", "replace", "split", "join", "indexOf", "substring", "contains",
    "startsWith",
    "endsWith", "matches", "size", "string", "int", "double", "bool", "duration", "timestamp", "has", "map", "filter",
    "all", "exists", "exists_one",
)  # fmt: skip

_T = cel.Type
_zone: ContextVar[str] = ContextVar("zone", default="UTC")


@contextmanager
def in_zone(zone: str) -> Iterator[None]:
    """Within the block, `date` without a zone of its own shows wall-clock time in this IANA zone."""
    token = _zone.set(zone)
    try:
        yield
    finally:
        _zone.reset(token)


def extension() -> cel.CelExtension:
    """The declarations and implementations, for NewEnv."""
    return cel.CelExtension(
        "pilothouse", [cel.FunctionDecl(name, overloads) for name, overloads in _declared().items()]
    )


def _date(moment: datetime, pattern: str) -> str:
    return _date_in(moment, pattern, _zone.get())


def _date_in(moment: datetime, pattern: str, zone: str) -> str:
    if len(pattern) > 100:
        raise ValueError("the format given to date() is too long")
    try:
        return moment.astimezone(ZoneInfo(zone)).strftime(pattern)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"there is no time zone '{zone}'") from error


def _duration(text: str) -> timedelta:
    try:
        return durations.parse(text)
    except InvalidInput as error:
        raise ValueError(error.faults[0].message.removesuffix(".")) from error


def _replace(text: str, old: str, new: str) -> str:
    grown = len(text) + text.count(old) * max(0, len(new) - len(old))
    return text.replace(old, new) if _fits(grown) else ""


def _join(parts: list[Any], separator: str = "") -> str:
    if not all(isinstance(part, str) for part in parts):
        raise ValueError("join() needs a list of texts")
    _fits(sum(len(part) for part in parts) + len(separator) * len(parts))
    return separator.join(parts)


def _split(text: str, separator: str) -> list[str]:
    if (text.count(separator) if separator else len(text)) > MOST_PARTS:
        raise ValueError(f"split() makes at most {MOST_PARTS} parts")
    return text.split(separator) if separator else list(text)


def _substring_from(text: str, start: int) -> str:
    return _substring(text, start, len(text))


def _substring(text: str, start: int, stop: int) -> str:
    if not 0 <= start <= stop <= len(text):
        raise ValueError(f"substring({start}, {stop}) is outside a text of {len(text)} characters")
    return text[start:stop]


def _fits(length: int) -> bool:
    if length > LONGEST_TEXT:
        raise ValueError(f"the text would be {length} characters long; {LONGEST_TEXT} is the limit")
    return True


def _declared() -> dict[str, list[cel.Overload]]:
    text, number, moment, texts = _T.STRING, _T.INT, _T.TIMESTAMP, _T.List(_T.STRING)

    def member(name: str, result: cel.Type, of: list[cel.Type], does: Callable[..., Any]) -> cel.Overload:
        return cel.Overload(f"pilothouse_{name}_{len(of)}", result, of, is_member=True, impl=does)

    def plain(name: str, of: list[cel.Type], does: Callable[..., Any]) -> cel.Overload:
        return cel.Overload(f"pilothouse_{name}_{len(of)}", text, of, is_member=False, impl=does)

    return {
        "date": [plain("date", [moment, text], _date), plain("date", [moment, text, text], _date_in)],
        DURATION: [
            cel.Overload("pilothouse_duration", _T.DURATION, [text], is_member=False, impl=_duration),
            cel.Overload("pilothouse_same", _T.DURATION, [_T.DURATION], is_member=False, impl=lambda length: length),
        ],
        "lowerAscii": [member("lower", text, [text], str.lower)],
        "upperAscii": [member("upper", text, [text], str.upper)],
        "trim": [member("trim", text, [text], str.strip)],
        "replace": [member("replace", text, [text, text, text], _replace)],
        "split": [member("split", texts, [text, text], _split)],
        "join": [member("join", text, [texts], _join), member("join", text, [texts, text], _join)],
        "indexOf": [member("index", number, [text, text], str.find)],
        "substring": [
            member("substring", text, [text, number], _substring_from),
            member("substring", text, [text, number, number], _substring),
        ],
    }
