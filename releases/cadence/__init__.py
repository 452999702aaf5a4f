"""When releases are due: the calendar of cadences, pure. No Django, no clock, no database."""

from releases.cadence.days import Calendars, WorkingDays, working_days
from releases.cadence.occurring import Occurrence, Span, occurrences, windows
from releases.cadence.offsets import moment_of
from releases.cadence.wall import Bend

__all__ = [
    "Bend",
    "Calendars",
    "Occurrence",
    "Span",
    "WorkingDays",
    "moment_of",
    "occurrences",
    "windows",
    "working_days",
]
