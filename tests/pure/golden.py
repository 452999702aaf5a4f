"""The golden file of cadences, read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from processes.document import load
from releases.cadence import Occurrence, occurrences

OUR_DAYS = dict.fromkeys(map(date.fromisoformat, ("2026-02-12", "2026-02-13", "2026-02-16", "2026-07-01")), "Ours")


@dataclass(frozen=True, slots=True)
class Row:
    """A cadence, the range asked for, and the moments that must come, each with its marks."""

    section: str
    cadence: Mapping[str, Any]
    after: datetime
    before: datetime
    expect: list[str]
    parents: Mapping[str, Mapping[str, Any]]

    def __str__(self) -> str:
        about = self.cadence.get("rrule") or " ".join(self.cadence["derive"]["offsets"])
        return f"{self.section} {about} {self.cadence['timezone']}"

    def found(self) -> list[Occurrence]:
        """What our calendar gives for the row."""
        calendars = {"our-days": OUR_DAYS}
        return occurrences(
            self.cadence, after=self.after, before=self.before, calendars=calendars, parents=self.parents
        )


def _read() -> list[Row]:
    file = Path(__file__).parent / "golden" / "cadences.yaml"
    sections = load(file.read_text(encoding="utf-8"))[0]
    return [
        Row(
            section,
            cadence=row["cadence"],
            after=datetime.fromisoformat(row["from"]).replace(tzinfo=UTC),
            before=datetime.fromisoformat(row["to"]).replace(tzinfo=UTC),
            expect=row["expect"],
            parents=row.get("parents", {}),
        )
        for section, rows in sections.items()
        for row in rows
    ]


ROWS = _read()
