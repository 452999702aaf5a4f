"""What people hand in, before it is kept: texts that fit, values that can be stored, documents of the right shape."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from config.errors import Fault, InvalidInput

LONGEST = 10_000
#: Between these lies whatever is planned: what lies outside is a slip of the finger, and no calendar could show it.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
DEEPEST = 20
_PARTS = ({"inputs", "phases"}, {"inputs", "activities"})


def require(*faults: list[Fault]) -> None:
    """Raise InvalidInput with every fault of these lists, if there is any."""
    found = [fault for part in faults for fault in part]
    if found:
        raise InvalidInput(found)


def text_faults(place: str, text: str, *, most: int = LONGEST) -> list[Fault]:
    """Return what is wrong with a text: too long, or with characters that no text has."""
    if len(text) > most:
        return [Fault(place, f"It has {len(text)} characters.", f"At most {most} are kept.")]
    return [Fault(place, "It contains a character that is no text.", "Remove it.")] if _unwritable(text) else []


def moment_faults(place: str, at: datetime | None) -> list[Fault]:
    """Return what is wrong with a planned moment: it lies where nothing is planned."""
    if at is None or EARLIEST <= at < LATEST:
        return []
    return [Fault(place, "Nothing is planned then.", f"Choose a year from {EARLIEST.year} to {LATEST.year - 1}.")]


def reason_of(reason: str) -> str:
    """Return a reason that somebody has to give. Raises InvalidInput if it says nothing or cannot be kept."""
    require(reason_faults(reason))
    return reason.strip()


def reason_faults(reason: str) -> list[Fault]:
    """Return what is wrong with a reason that somebody has to give."""
    if not reason.strip():
        return [Fault("reason", "A reason is required.", "Say why, for those who read the trail.")]
    return text_faults("reason", reason)


def value_faults(place: str, value: Any, depth: int = 0) -> list[Fault]:
    """Return what JSON from outside holds that the database cannot: odd characters, infinite numbers, endless nests."""
    if depth > DEEPEST:
        return [Fault(place, "It is nested too deeply.", f"At most {DEEPEST} levels are kept.")]
    if isinstance(value, str):
        return [Fault(place, "It contains a character that is no text.", "Remove it.")] if _unwritable(value) else []
    if isinstance(value, float) and not math.isfinite(value):
        return [Fault(place, f"{value} is not a number that can be kept.")]
    inner: Iterator[tuple[str, Any]] = iter(())
    if isinstance(value, Mapping):
        if any(not isinstance(key, str) or _unwritable(key) for key in value):
            return [Fault(place, "One of its names contains a character that is no text.", "Remove it.")]
        inner = ((f"{place}.{key}", entry) for key, entry in value.items())
    elif isinstance(value, list | tuple):
        inner = ((f"{place}[{index}]", entry) for index, entry in enumerate(value))
    return [fault for spot, entry in inner for fault in value_faults(spot, entry, depth + 1)]


def mapping_faults(place: str, value: Any) -> list[Fault]:
    """The same for what must be a mapping of names to values."""
    if not isinstance(value, Mapping):
        return [Fault(place, "It must be a mapping of names to values.")]
    return value_faults(place, value)


def document_faults(place: str, document: Any, depth: int = 0) -> list[Fault]:
    """The same for values in the shape of an input set: `inputs`, `phases: {id: {inputs, activities: {id: ...}}}`."""
    faults = mapping_faults(place, document) if depth == 0 else []
    if faults or depth > DEEPEST:
        return faults
    if document is None and depth:
        return []
    if not isinstance(document, Mapping):
        return [Fault(place, "It must hold 'inputs' or what lies below.")]
    allowed = _PARTS[depth % 2]
    faults = [
        Fault(f"{place}.{key}", f"There is no '{key}' here.", _cure(allowed)) for key in document if key not in allowed
    ]
    for part in sorted(allowed & document.keys()):
        inner = document[part]
        if not isinstance(inner, Mapping):
            faults.append(Fault(f"{place}.{part}", "It must be a mapping of names to values."))
        elif part != "inputs":
            faults += [
                f for key, entry in inner.items() for f in document_faults(f"{place}.{part}.{key}", entry, depth + 1)
            ]
    return faults


def _cure(allowed: set[str]) -> str:
    return f"Use {' and '.join(sorted(allowed))}."


def _unwritable(text: str) -> bool:
    return "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text)
