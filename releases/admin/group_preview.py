"""A release group's dates: shown in its zone and in UTC, what an edit would do to them, and one of them skipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from config.admin.asking import ReasonForm
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
#: States of a date that can be skipped; the first is that of one without a release yet.
_SKIPPABLE = ("", "draft", "scheduled")


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
    """What saving would do, to `more` releases that whoever saves may not see. `agreed` is the digest of the document
    that was shown; `is_asked` says by whose wish."""

    status: str
    changes: list[Change]
    more: int
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


class SkipForm(ReasonForm):
    """Which of a group's next dates is skipped, and why."""

    occurs_at = forms.ChoiceField(
        label="Date",
        widget=UnfoldAdminSelectWidget,
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Choose one of its next dates."),
    )
    field_order = ("occurs_at", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, must=False, **kwargs)

    def offer(self, coming: Coming | None) -> None:
        """Offers the dates on which nothing has started yet."""
        rows = [row for row in coming.rows if row.date.state in _SKIPPABLE] if coming is not None else []
        self.fields["occurs_at"].choices = [(row.date.occurs_at.isoformat(), _words(row)) for row in rows]  # type: ignore[attr-defined]
        self.fields["occurs_at"].help_text = f"On the clock of {coming.zone}, and in UTC." if coming is not None else ""


def _words(row: Row) -> str:
    state = f", {row.date.state}" if row.date.state else ""
    return f"{row.wall:%a %Y-%m-%d %H:%M} ({row.date.starts_at:%H:%M} UTC){state}"
