from __future__ import annotations

import pytest

from config.errors import Fault
from processes.checks_calendar import check_freeze, check_release_group
from processes.document import load
from tests.pure.documents import EXAMPLES, example


@pytest.mark.parametrize("name", [path.stem for path in EXAMPLES.glob("*.yaml")])
def test_the_samples_groups_and_freezes_are_right(name):
    checks = {"ReleaseGroup": check_release_group, "Freeze": check_freeze}
    found = [checks[document["kind"]](document) for document in example(name) if document["kind"] in checks]
    assert found
    assert all(report.faults == [] for report in found)


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("version: '${{ sequnce }}'", "version", "`sequnce` uses 'sequnce', which does not exist."),
        ("version: '${{ sequence }}'", "version", "`sequence` is a whole number, but text is wanted here."),
        (
            "release_name: '${{ date(start) }}'",
            "release_name",
            "`date(start)` calls date() with the wrong number of values.",
        ),
        ("cadence: {timezone: Europe/Berlin}", "cadence", "A cadence has either 'rrule' or 'derive'."),
        (
            "cadence: {timezone: Europe/Berlin, rrule: FREQ=DAILY, start: 2026-01-08T09:00}",
            "cadence.duration",
            "'duration' is missing.",
        ),
    ],
)
def test_a_wrong_group_is_told(text, path, message):
    report = check_release_group(load(f"kind: ReleaseGroup\nid: g\nname: G\nprocess: p\n{text}")[0])
    assert [(fault.path, fault.message) for fault in report.faults] == [(path, message)]


@pytest.mark.parametrize(
    ("scope", "window", "fault"),
    [
        (
            "{}",
            "duration: 1d",
            Fault("scope", "The scope names nothing.", "Write {everything: true}, or name what may not start."),
        ),
        ("{tags: [a]}", "", Fault("window", "A window has either 'end' or 'duration'.", "Keep one of them.")),
        (
            "{tags: [a]}",
            "end: 2026-01-01T00:00",
            Fault("window.end", "The window ends before it starts.", "Choose a later end."),
        ),
        (
            "{tags: [a]}",
            "end: 2027-01-01T00:00, rrule: FREQ=DAILY",
            Fault("window.end", "A window that recurs has a 'duration', not an 'end'.", "Say how long each lasts."),
        ),
    ],
)
def test_a_wrong_freeze_is_told(scope, window, fault):
    start = "start: 2026-12-20T00:00, timezone: Europe/Berlin"
    text = f"kind: Freeze\nid: f\nname: F\nscope: {scope}\nwindow: {{{start}, {window}}}"
    assert check_freeze(load(text)[0]).faults == [fault]
