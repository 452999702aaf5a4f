"""The small languages inside documents, as JSON Schema formats: durations, owners, offsets, recurrence rules, zones.

A text with an expression passes wherever an expression may stand; publish checks look inside.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from datetime import date, datetime
from functools import cache

import jsonschema

from processes import durations
from processes.expressions_text import is_expression
from processes.inputs_schema import SLUG

FORMATS = jsonschema.FormatChecker(formats=())

_SLUG = SLUG.strip("^$")
_REFERENCE = re.compile(rf"{_SLUG}(?:@[1-9]\d{{0,8}})?")
_NEED = re.compile(rf"{_SLUG}(?:\.{_SLUG})?")
_OWNER = re.compile(r"(?:group|user|role):[^\s:][^:]{0,149}")
_NAMED = re.compile(r"(?:(?:group|user|role):)?[^\s:][^:]{0,149}")
_OFFSET = re.compile(
    r"(?:(?:start|end|opening)\s*)?[+-]?\s*(?:\d{1,4}\s*(?:working\s+)?(?:day|week|hour|minute)s?|\d[\dwdhms.]*)"
)
_LENGTH_OFFSET = re.compile(r"(\d[\dwdhms.]*)$")
_RULE_PARTS = {
    "FREQ": r"DAILY|WEEKLY|MONTHLY|YEARLY",
    "INTERVAL": r"[1-9]\d{0,2}",
    "COUNT": r"[1-9]\d{0,3}",
    "UNTIL": r"\d{8}(?:T\d{6}Z?)?",
    "BYDAY": r"(?:[+-]?[1-5]?(?:MO|TU|WE|TH|FR|SA|SU))(?:,[+-]?[1-5]?(?:MO|TU|WE|TH|FR|SA|SU))*",
    "BYMONTHDAY": r"-?(?:[1-9]|[12]\d|3[01])(?:,-?(?:[1-9]|[12]\d|3[01]))*",
    "BYMONTH": r"(?:[1-9]|1[0-2])(?:,(?:[1-9]|1[0-2]))*",
    "BYSETPOS": r"-?[1-9]\d?(?:,-?[1-9]\d?)*",
    "BYWEEKNO": r"-?[1-9]\d?(?:,-?[1-9]\d?)*",
    "WKST": r"MO|TU|WE|TH|FR|SA|SU",
}

WORDS = {
    "slug": ("an id", "Use lower-case letters, digits and hyphens, at most 64."),
    "reference": ("an id with or without a revision", "Write it like deploy-service or deploy-service@3."),
    "need": ("a dependency", "Name an activity of this phase (compile) or of another (build.compile)."),
    "owner": ("an owner", "Write it like group:qa, user:ann or role:release-manager."),
    "named": ("the name of a group, person or role", "Write it like qa, group:qa, user:ann or role:release-manager."),
    "length": ("a duration", durations.CURE),
    "plain-length": ("a duration", durations.CURE),
    "moment": ("a duration or a moment", "Write it like 2h, or like 2026-01-08T09:00:00+01:00."),
    "local-moment": ("a date and time without an offset", "Write it like 2026-01-08T09:00."),
    "day": ("a date", "Write it like 2026-01-08."),
    "zone": ("a time zone", "Write it like Europe/Berlin."),
    "offset": ("an offset", "Write it like -6 working days, end -2h or 4h."),
    "rule": ("a recurrence rule", "Use FREQ=DAILY, WEEKLY, MONTHLY or YEARLY, with INTERVAL, BYDAY, COUNT or UNTIL."),
    "color": ("a colour", "Write it like #2563eb."),
}


def is_rule(text: str) -> bool:
    """Whether a recurrence rule keeps to the parts we calculate: whole days and longer, intervals of at least one."""
    parts = [part.partition("=") for part in text.removeprefix("RRULE:").split(";")]
    names = [name for name, _, _ in parts]
    if names.count("FREQ") != 1 or len(set(names)) != len(names) or {"COUNT", "UNTIL"} <= set(names):
        return False
    return all(name in _RULE_PARTS and re.fullmatch(_RULE_PARTS[name], value) for name, _, value in parts)


def is_moment(text: str) -> bool:
    """Whether the text is a moment with an offset."""
    return _parses(datetime.fromisoformat, text) and datetime.fromisoformat(text).tzinfo is not None


def _is_local(text: str) -> bool:
    return _parses(datetime.fromisoformat, text) and datetime.fromisoformat(text).tzinfo is None


def _is_offset(text: str) -> bool:
    if not _OFFSET.fullmatch(text):
        return False
    length = _LENGTH_OFFSET.search(text)
    return length is None or durations.is_duration(length.group(1))


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _parses(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


_CHECKS: dict[str, tuple[Callable[[str], object], bool]] = {
    "slug": (re.compile(_SLUG).fullmatch, False),
    "reference": (_REFERENCE.fullmatch, False),
    "need": (_NEED.fullmatch, False),
    "owner": (_OWNER.fullmatch, True),
    "named": (_NAMED.fullmatch, True),
    "length": (durations.is_duration, True),
    "plain-length": (durations.is_duration, False),
    "moment": (lambda text: durations.is_duration(text) or is_moment(text), True),
    "local-moment": (_is_local, False),
    "day": (lambda text: _parses(date.fromisoformat, text), False),
    "zone": (lambda text: text in _zones(), False),
    "offset": (_is_offset, True),
    "rule": (is_rule, False),
    "color": (re.compile(r"#[0-9a-fA-F]{6}").fullmatch, False),
}


def _register(name: str, accepts: Callable[[str], object], may_be_expression: bool) -> None:
    @FORMATS.checks(name)
    def check(value: object) -> bool:
        if isinstance(value, str):
            return bool(accepts(value)) or (may_be_expression and is_expression(value))
        return isinstance(value, bool) or not isinstance(value, (int, float)) or durations.is_duration(value)


for _name, (_accepts, _may_be_expression) in _CHECKS.items():
    _register(_name, _accepts, _may_be_expression)
