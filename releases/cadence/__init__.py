"""When releases are due: the calendar of cadences, pure. No Django, no clock, no database."""

from releases.cadence.days import Calendars, WorkingDays, working_days
from releases.cadence.occurring import Occurrence, Span, occurrences, windows
from releases.cadence.offsets import moment_of
from releases.cadence.presets import PRESETS, Preset, preset_of, rule_of
from releases.cadence.shift import shifted
from releases.cadence.wall import Bend
from releases.cadence.words import cadence_in_words, rule_in_words

__all__ = [
    "PRESETS",
    "Bend",
    "Calendars",
    "Occurrence",
    "Preset",
    "Span",
    "WorkingDays",
    "cadence_in_words",
    "moment_of",
    "occurrences",
    "preset_of",
    "rule_in_words",
    "rule_of",
    "shifted",
    "windows",
    "working_days",
]
