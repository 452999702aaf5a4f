"""What a release group's page shows of its dates: in its zone and in UTC, and what an edit would do to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from config.errors import Fault
from releases.reading import NextDate, NextDates
from releases.services.trains import Change

#: What is said of a date that is bent, in one word.
MARKS = {
    "gap": "clocks",
    "fold": "clocks",
    "holiday": "holiday",
    "extra": "extra",
    "derived": "derived",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One date: the moment on the group's clock, the NextDate it stands for, and marks with words."""

    wall: datetime
    date: NextDate
    marks: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Coming:
    """The next dates of a cadence, with the cadence in words; or why they cannot be told."""

    zone: str
    words: str
    rows: list[Row]
    faults: Sequence[Fault] = field(default=())


@dataclass(frozen=True, slots=True)
class Preview:
    """What saving would do. `agreed` is the digest of the document that was shown; `is_asked` says by whose wish."""

    status: str
    changes: list[Change]
    coming: Coming | None
    agreed: str
    is_asked: bool


def coming_of(dates: NextDates) -> Coming | None:
    """The dates as they are shown; None for a group without a cadence."""
    if not dates.words:
        return None
    rows = [
        Row(
            datetime.fromisoformat(one.wall), one, [(MARKS.get(bend.kind, bend.kind), bend.words) for bend in one.bends]
        )
        for one in dates.dates
    ]
    return Coming(dates.timezone, dates.words, rows)
