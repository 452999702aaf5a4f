"""Checking what is planned with a calendar: release groups and freezes, before they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from config import durations
from processes.checks_report import Place, Report
from processes.checks_scope import TEMPLATE
from processes.checks_values import check_text
from processes.expressions_check import Scope
from processes.recurrence import parse
from processes.recurrence_days import EARLIEST, LATEST, comes
from processes.schema import structural_faults

Document = Mapping[str, Any]


def check_release_group(document: Document) -> Report:
    """The faults of a release group: structure, a cadence that says when, templates that give text.

    Templates see `start` (the planned start), `sequence` (the number of the release in the group) and `date()`.
    """
    report = Report(structural_faults(document))
    if report.faults:
        return report
    place = Place("", Scope(TEMPLATE))
    for key in ("version", "release_name"):
        report.add(check_text(document.get(key), "string", place.at(key)))
    cadence = document.get("cadence")
    if cadence is None:
        return report
    _check_cadence(cadence, str(document["id"]), report)
    return report


def check_freeze(document: Document) -> Report:
    """The faults of a freeze: structure, a scope that names something, a window that ends after it starts."""
    report = Report(structural_faults(document))
    if report.faults:
        return report
    if not any(document["scope"].values()):
        report.fault("scope", "The scope names nothing.", "Write {everything: true}, or name what may not start.")
    window = document["window"]
    _check_start(window, "window", report)
    _check_window_end(window, report)
    if "rrule" in window:
        _check_rule(window, "window", report)
    return report


def _check_cadence(cadence: Document, group: str, report: Report) -> None:
    if ("derive" in cadence) == ("rrule" in cadence):
        report.fault("cadence", "A cadence has either 'rrule' or 'derive'.", "Keep one of them.")
    if cadence.get("derive", {}).get("group") == group:
        report.fault("cadence.derive.group", "A group's dates cannot derive from themselves.", "Name another group.")
    if "rrule" in cadence:
        for key in ("start", "duration"):
            if key not in cadence:
                report.fault(f"cadence.{key}", f"'{key}' is missing.", f"Add '{key}'.")
    if "until" in cadence and "count" in cadence:
        report.fault("cadence.count", "A cadence ends at a date or after a number of releases, not both.", "Keep one.")
    if "start" not in cadence:
        return
    _check_start(cadence, "cadence", report)
    if "until" in cadence and date.fromisoformat(cadence["until"]) < _start(cadence).date():
        report.fault("cadence.until", "The cadence ends before it starts.", "Choose a later day.")
    if "rrule" in cadence:
        _check_rule(cadence, "cadence", report)


def _is_followed(moment: datetime) -> bool:
    return EARLIEST <= moment.date() <= LATEST


def _check_start(document: Document, path: str, report: Report) -> None:
    if not _is_followed(_start(document)):
        years = f"{EARLIEST.year} and {LATEST.year}"
        report.fault(f"{path}.start", f"Calendars are followed between {years}.", "Choose another date.")


def _check_rule(document: Document, path: str, report: Report) -> None:
    """Whether a right rule has a date at all, and ends in one way only."""
    rule, start = parse(document["rrule"]), _start(document)
    ends = [part for part, value in (("COUNT", rule.count), ("UNTIL", rule.until)) if value is not None]
    for key in ("until", "count"):
        if ends and key in document:
            report.fault(f"{path}.{key}", f"The rule ends by its own {ends[0]} already.", f"Keep '{key}' or {ends[0]}.")
    if not _is_followed(start) or comes(rule, start=start.date()):
        return
    if comes(replace(rule, until=None), start=start.date()):
        report.fault(f"{path}.rrule", "The rule's UNTIL is before its first date.", "Choose a later UNTIL.")
        return
    parts = [part for part in document["rrule"].upper().split(";") if part.startswith(("BY", "INTERVAL"))]
    message = f"No day within a hundred years of the start fits {' and '.join(parts)}."
    report.fault(f"{path}.rrule", message, "Change one of them, like FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1.")


def _check_window_end(window: Document, report: Report) -> None:
    ends = [key for key in ("end", "duration", "until_lifted") if key in window]
    if len(ends) != 1:
        report.fault("window", "A window has one of 'end', 'duration' and 'until_lifted'.", "Keep one of them.")
    if "end" in window:
        _check_end(window, report)
    if "duration" in window and not durations.parse(window["duration"]):
        report.fault("window.duration", "The window has no length.", "Say how long it lasts.")
    if "rrule" in window and "duration" not in window:
        for key in ends:
            words = f"A window that recurs has a 'duration', not '{key}'."
            report.fault(f"window.{key}", words, "Say how long each lasts.")


def _check_end(window: Document, report: Report) -> None:
    end = datetime.fromisoformat(window["end"])
    if not _is_followed(end):
        years = f"{EARLIEST.year} and {LATEST.year}"
        report.fault("window.end", f"Calendars are followed between {years}.", "Choose another date.")
    if end <= _start(window):
        report.fault("window.end", "The window ends before it starts.", "Choose a later end.")


def _start(document: Document) -> datetime:
    return datetime.fromisoformat(document["start"])
