"""Checking what is planned with a calendar: release groups and freezes, before they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from processes.checks_report import Place, Report
from processes.checks_scope import TEMPLATE
from processes.checks_values import check_text
from processes.expressions_check import Scope
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
    if ("derive" in cadence) == ("rrule" in cadence):
        report.fault("cadence", "A cadence has either 'rrule' or 'derive'.", "Keep one of them.")
    if "rrule" in cadence:
        for key in ("start", "duration"):
            if key not in cadence:
                report.fault(f"cadence.{key}", f"'{key}' is missing.", f"Add '{key}'.")
    if "until" in cadence and "count" in cadence:
        report.fault("cadence.count", "A cadence ends at a date or after a number of releases, not both.", "Keep one.")
    return report


def check_freeze(document: Document) -> Report:
    """The faults of a freeze: structure, a scope that names something, a window that ends after it starts."""
    report = Report(structural_faults(document))
    if report.faults:
        return report
    if not any(document["scope"].values()):
        report.fault("scope", "The scope names nothing.", "Write {everything: true}, or name what may not start.")
    window = document["window"]
    if ("end" in window) == ("duration" in window):
        report.fault("window", "A window has either 'end' or 'duration'.", "Keep one of them.")
    if "end" in window and window["end"] <= window["start"]:
        report.fault("window.end", "The window ends before it starts.", "Choose a later end.")
    if "end" in window and "rrule" in window:
        report.fault("window.end", "A window that recurs has a 'duration', not an 'end'.", "Say how long each lasts.")
    return report
