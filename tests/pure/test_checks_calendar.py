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
        (
            "{tags: [a]}",
            "",
            Fault("window", "A window has one of 'end', 'duration' and 'until_lifted'.", "Keep one of them."),
        ),
        (
            "{tags: [a]}",
            "duration: 1d, until_lifted: true",
            Fault("window", "A window has one of 'end', 'duration' and 'until_lifted'.", "Keep one of them."),
        ),
        (
            "{tags: [a]}",
            "until_lifted: false",
            Fault("window.until_lifted", "'until_lifted' must be True."),
        ),
        (
            "{tags: [a]}",
            "duration: 0s",
            Fault("window.duration", "The window has no length.", "Say how long it lasts."),
        ),
        (
            "{tags: [a]}",
            "end: 9999-01-01T00:00",
            Fault("window.end", "Calendars are followed between 1900 and 2200.", "Choose another date."),
        ),
        (
            "{tags: [a]}",
            "until_lifted: true, rrule: FREQ=DAILY",
            Fault(
                "window.until_lifted",
                "A window that recurs has a 'duration', not 'until_lifted'.",
                "Say how long each lasts.",
            ),
        ),
        (
            "{tags: [a]}",
            "end: 2026-01-01T00:00",
            Fault("window.end", "The window ends before it starts.", "Choose a later end."),
        ),
        (
            "{tags: [a]}",
            "end: 2027-01-01T00:00, rrule: FREQ=DAILY",
            Fault("window.end", "A window that recurs has a 'duration', not 'end'.", "Say how long each lasts."),
        ),
    ],
)
def test_a_wrong_freeze_is_told(scope, window, fault):
    start = "start: 2026-12-20T00:00, timezone: Europe/Berlin"
    text = f"kind: Freeze\nid: f\nname: F\nscope: {scope}\nwindow: {{{start}, {window}}}"
    assert check_freeze(load(text)[0]).faults == [fault]


def cadence_faults(rest, rule="FREQ=WEEKLY;BYDAY=TH"):
    cadence = f"rrule: '{rule}', start: 2026-01-08T09:00, timezone: Europe/Berlin, duration: 2d{rest}"
    text = f"kind: ReleaseGroup\nid: g\nname: G\nprocess: p\ncadence: {{{cadence}}}"
    return check_release_group(load(text)[0]).faults


def derived_faults(group, offset):
    cadence = f"cadence: {{timezone: UTC, derive: {{group: {group}, offsets: ['{offset}']}}}}"
    return check_release_group(load(f"kind: ReleaseGroup\nid: g\nname: G\nprocess: p\n{cadence}")[0]).faults


@pytest.mark.parametrize(
    ("rule", "message", "cure"),
    [
        ("FREQ=HOURLY", "FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY, not 'HOURLY'.", "FREQ=WEEKLY;BYDAY=TH"),
        ("BYDAY=TH", "The rule has no FREQ.", "FREQ=WEEKLY;BYDAY=TH"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL must be a whole number from 1 to 999, not '0'.", "INTERVAL=1"),
        ("FREQ=DAILY;INTERVAL=1,2", "INTERVAL must be a whole number from 1 to 999, not '1,2'.", "INTERVAL=1"),
        (
            "FREQ=MONTHLY;BYDAY=6TH",
            "BYDAY=6TH never comes: no month has more than five of a weekday, no year more than 53.",
            "BYDAY=3TH (the third)",
        ),
        ("FREQ=MONTHLY;BYDAY=0TH", "BYDAY=0TH counts from nought; the first is 1, the last is -1.", "BYDAY=3TH"),
        ("FREQ=MONTHLY;BYDAY=XX", "BYDAY must be weekdays, not 'XX'.", "BYDAY=TH (every)"),
        (
            "FREQ=WEEKLY;BYDAY=3TH",
            "BYDAY=3TH counts weekdays of a month, which does not go with FREQ=WEEKLY.",
            "Write BYDAY=TH, or FREQ=MONTHLY;BYDAY=3TH.",
        ),
        ("FREQ=DAILY;BYHOUR=3", "BYHOUR is not for cadences: the time of day comes from 'start'.", "Leave it out."),
        ("FREQ=DAILY;BYFOO=3", "'BYFOO' is not a part of a rule.", "The parts are FREQ, INTERVAL, COUNT"),
        ("FREQ=DAILY;", "The rule has an empty part.", "The parts are FREQ, INTERVAL, COUNT"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "A rule ends by COUNT or by UNTIL, not by both.", "Keep one of them."),
        ("FREQ=DAILY;UNTIL=20261341", "UNTIL must be a day or a moment, not '20261341'.", "UNTIL=20261231"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ stands twice in the rule.", "Keep one."),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY does not go with FREQ=WEEKLY.", "Use FREQ=MONTHLY, or BYDAY."),
        (
            "FREQ=MONTHLY;BYMONTHDAY=32",
            "BYMONTHDAY must be whole numbers from 1 to 31, or from -31 to -1 counted from the end, not '32'.",
            "BYMONTHDAY=1",
        ),
        (
            "FREQ=MONTHLY;BYWEEKNO=20",
            "BYWEEKNO goes with FREQ=YEARLY only, not with MONTHLY.",
            "FREQ=YEARLY;BYWEEKNO=20",
        ),
        (
            "FREQ=MONTHLY;BYSETPOS=1",
            "BYSETPOS chooses among the days of another BY part, and there is none.",
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        ),
        ("FREQ=WEEKLY;WKST=MON", "WKST must be a weekday, not 'MON'.", "Use one of MO, TU, WE, TH, FR, SA, SU."),
        (
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "No day within a hundred years of the start fits BYMONTH=2 and BYMONTHDAY=30.",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1",
        ),
        (
            "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
            "No day within a hundred years of the start fits INTERVAL=7 and BYDAY=MO.",
            "Change one of them",
        ),
        ("FREQ=DAILY;UNTIL=20251231", "The rule's UNTIL is before its first date.", "Choose a later UNTIL."),
    ],
)
def test_a_wrong_rule_says_which_part_is_wrong_and_shows_a_right_one(rule, message, cure):
    faults = cadence_faults("", rule)
    assert [(fault.path, fault.message) for fault in faults] == [("cadence.rrule", message)]
    assert cure in faults[0].cure


def test_every_part_that_is_wrong_is_told_at_once():
    faults = cadence_faults("", "FREQ=HOURLY;INTERVAL=0;BYDAY=XX,TH,YY;NONSENSE")
    assert [fault.message.split()[0] for fault in faults] == ["FREQ", "INTERVAL", "BYDAY", "BYDAY", "'NONSENSE'"]


@pytest.mark.parametrize(
    ("rest", "path", "message", "cure"),
    [
        (
            ", holidays: {calendar: GERMANY}",
            "cadence.holidays.calendar",
            "'GERMANY' is not a country or exchange whose days off are known.",
            "Did you mean DE?",
        ),
        (
            ", holidays: {calendar: XNYC}",
            "cadence.holidays.calendar",
            "'XNYC' is not a country or exchange whose days off are known.",
            "Did you mean XNYS?",
        ),
        (
            ", holidays: {calendar: DE-BX}",
            "cadence.holidays.calendar",
            "'BX' is not a part of DE whose days off are known.",
            "Known are BB, BE, BW, BY",
        ),
        (", holidays: {calendar: 'our days'}", "cadence.holidays.calendar", "'our days' is not a calendar.", "DE-BY"),
        (", until: 2026-01-01", "cadence.until", "The cadence ends before it starts.", "Choose a later day."),
        (", derive: {group: m}", "cadence", "A cadence has either 'rrule' or 'derive'.", "Keep one of them."),
    ],
)
def test_a_wrong_cadence_is_told(rest, path, message, cure):
    faults = cadence_faults(rest)
    assert [(fault.path, fault.message) for fault in faults] == [(path, message)]
    assert cure in faults[0].cure


def test_a_rule_ends_in_one_way_only():
    assert [fault.path for fault in cadence_faults(", count: 3", "FREQ=DAILY;COUNT=5")] == ["cadence.count"]
    assert [fault.path for fault in cadence_faults(", until: 2027-01-01", "FREQ=DAILY;COUNT=5")] == ["cadence.until"]


@pytest.mark.parametrize("calendar", ["DE", "DE-BY", "US-NY", "NYSE", "XNYS", "our-days", "de"])
def test_countries_exchanges_and_imported_calendars_may_be_named(calendar):
    assert cadence_faults(f", holidays: {{calendar: {calendar}, roll: skip}}") == []


@pytest.mark.parametrize(
    ("offset", "message"),
    [
        ("-1 XX", "'-1 XX' is not an offset from a date."),
        ("next week", "'next week' is not an offset from a date."),
        ("0 WE", "'0 WE' names no WE: the first one after is +1."),
        ("-99 weeks", "'-99 weeks' is more than a year away."),
        ("+2h", "'+2h' is not an offset from a date."),
    ],
)
def test_a_wrong_derived_offset_is_told(offset, message):
    faults = derived_faults("m", offset)
    assert [(fault.path, fault.message) for fault in faults] == [("cadence.derive.offsets[0]", message)]
    assert faults[0].cure


def test_a_derived_cadence_needs_neither_rule_nor_start_but_another_group():
    assert derived_faults("monthly", "-1 WE") == []
    assert [fault.path for fault in derived_faults("g", "-1 WE")] == ["cadence.derive.group"]


@pytest.mark.parametrize(
    ("window", "paths"),
    [
        ("until_lifted: true", []),
        ("until_lifted: true, duration: 1d", ["window"]),
        ("until_lifted: true, end: 2027-01-01T00:00", ["window"]),
        ("until_lifted: true, rrule: FREQ=DAILY", ["window.until_lifted"]),
        ("until_lifted: false", ["window.until_lifted"]),
        ("duration: 0s", ["window.duration"]),
        ("duration: 1d, rrule: FREQ=DAILY;INTERVAL=0", ["window.rrule"]),
        ("duration: 1d, rrule: FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", ["window.rrule"]),
        ("duration: 1d, rrule: FREQ=YEARLY;UNTIL=20200101", ["window.rrule"]),
    ],
)
def test_a_freeze_lasts_until_its_end_or_until_it_is_lifted(window, paths):
    start = "start: 2026-12-20T00:00, timezone: Europe/Berlin"
    text = f"kind: Freeze\nid: f\nname: F\nscope: {{everything: true}}\nwindow: {{{start}, {window}}}"
    assert [fault.path for fault in check_freeze(load(text)[0]).faults] == paths
