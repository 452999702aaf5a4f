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

from activities.web import addresses
from config import durations
from config.errors import Fault
from processes import days_off, offsets, recurrence
from processes.expressions_text import is_expression
from processes.inputs_schema import SLUG

FORMATS = jsonschema.FormatChecker(formats=())

_SLUG = SLUG.strip("^$")
_REFERENCE = re.compile(rf"{_SLUG}(?:@[1-9]\d{{0,8}})?")
_NEED = re.compile(rf"{_SLUG}(?:\.{_SLUG})?")
_OWNER = re.compile(r"(?:group|user|role):[^\s:][^:]{0,149}")
_NAMED = re.compile(r"(?:(?:group|user|role):)?[^\s:][^:]{0,149}")

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
    "offset": ("an offset", offsets.CURE),
    "derived-offset": ("an offset from a date", offsets.DERIVED_CURE),
    "rule": ("a recurrence rule", recurrence.EXAMPLE),
    "calendar": ("a calendar", "Write it like DE, DE-BY or NYSE, or the id of an imported calendar."),
    "color": ("a colour", "Write it like #2563eb."),
    "outbound-address": ("an address to call", addresses.EXAMPLE),
}


def is_rule(text: str) -> bool:
    """Whether a recurrence rule keeps to the parts we calculate: whole days and longer, intervals of at least one."""
    return not recurrence.rule_faults(text)


def is_moment(text: str) -> bool:
    """Whether the text is a moment with an offset."""
    return _parses(datetime.fromisoformat, text) and datetime.fromisoformat(text).tzinfo is not None


def _is_local(text: str) -> bool:
    return _parses(datetime.fromisoformat, text) and datetime.fromisoformat(text).tzinfo is None


def calendar_faults(text: str) -> list[Fault]:
    """What is wrong with the name of a calendar; one in lower case is an imported one's id."""
    if not days_off.is_imported(text):
        return days_off.name_faults(text)
    return [] if re.fullmatch(_SLUG, text) else [Fault("", f"'{text[:60]}' is not a calendar.", WORDS["calendar"][1])]


def _address_faults(text: str) -> list[Fault]:
    """What keeps a text from being an address to call; never repeats it, since it may hold a password."""
    fault = addresses.address_fault(text)
    return [Fault("", f"The address {fault}.", addresses.EXAMPLE)] if fault else []


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
    "offset": (offsets.is_offset, True),
    "derived-offset": (lambda text: not offsets.derived_faults(text), False),
    "rule": (is_rule, False),
    "calendar": (lambda text: not calendar_faults(text), False),
    "outbound-address": (lambda text: not addresses.address_fault(text), False),
    "color": (re.compile(r"#[0-9a-fA-F]{6}").fullmatch, False),
}

#: Formats that tell more than "is not one": which part is wrong, and how to write it.
EXPLAIN: dict[str, Callable[[str], list[Fault]]] = {
    "rule": recurrence.rule_faults,
    "calendar": calendar_faults,
    "derived-offset": offsets.derived_faults,
    "outbound-address": _address_faults,
}


def _register(name: str, accepts: Callable[[str], object], may_be_expression: bool) -> None:
    @FORMATS.checks(name)
    def check(value: object) -> bool:
        if isinstance(value, str):
            return bool(accepts(value)) or (may_be_expression and is_expression(value))
        return isinstance(value, bool) or not isinstance(value, (int, float)) or durations.is_duration(value)


for _name, (_accepts, _may_be_expression) in _CHECKS.items():
    _register(_name, _accepts, _may_be_expression)
