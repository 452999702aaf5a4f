from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter

import pytest
from hypothesis import given, settings

from config.errors import Fault, InvalidInput
from processes.recurrence import parse
from processes.recurrence_days import comes
from releases.cadence import (
    PRESETS,
    Preset,
    Span,
    cadence_in_words,
    moment_of,
    occurrences,
    preset_of,
    rule_of,
    shifted,
    windows,
    working_days,
)
from tests.pure.test_cadence_properties import rules

THURSDAYS = {
    "rrule": "FREQ=WEEKLY;BYDAY=TH",
    "start": "2026-01-08T09:00",
    "timezone": "Europe/Berlin",
    "duration": "2d",
    "holidays": {"calendar": "DE", "roll": "next_working_day"},
}
WORDS = "Every Thursday at 09:00 (Europe/Berlin), for 2 days"


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def find(cadence, after="2026-01-01", before="2026-02-01", calendars=None, **parents):
    return occurrences(cadence, after=at(after), before=at(before), calendars=calendars or {}, parents=parents)


def faults(*args, **kwargs):
    with pytest.raises(InvalidInput) as caught:
        find(*args, **kwargs)
    return list(caught.value.faults)


def test_an_occurrence_on_a_holiday_keeps_who_it_is_and_says_why_it_moved():
    [moved] = find(THURSDAYS, "2026-05-08", "2026-05-20")
    assert moved.occurs_at == at("2026-05-14T07:00")
    assert moved.starts_at == at("2026-05-15T07:00")
    assert moved.ends_at == at("2026-05-17T07:00")
    assert [bend.words for bend in moved.bends] == [
        "Thursday, 14 May 2026 is off (Ascension Day): moved to Friday, 15 May 2026."
    ]


def test_of_two_occurrences_that_fall_together_the_unmoved_one_stays():
    daily = {**THURSDAYS, "rrule": "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR"}
    found = find(daily, "2026-04-02", "2026-04-09")
    assert [one.wall.day for one in found] == [2, 7, 8]
    assert all(one.occurs_at == one.starts_at for one in found)


def test_of_two_moved_ones_that_fall_together_the_earlier_stays():
    both = {**THURSDAYS, "rrule": "FREQ=DAILY;BYDAY=FR,MO"}
    [one] = find(both, "2026-04-03", "2026-04-09")
    assert (one.wall.day, one.occurs_at) == (7, at("2026-04-03T07:00"))


def test_days_off_without_a_working_day_near_leave_an_occurrence_where_it_is():
    closed = {date(2026, 1, 1) + timedelta(days=number): "Closed" for number in range(200)}
    cadence = {**THURSDAYS, "holidays": {"calendar": "closed", "roll": "next_working_day"}}
    found = find(cadence, calendars={"closed": closed})
    assert [one.wall.day for one in found] == [8, 15, 22, 29]
    assert "no working day is near" in found[0].bends[0].words


def test_an_imported_calendar_that_is_missing_is_told_with_the_country_meant():
    cadence = {**THURSDAYS, "holidays": {"calendar": "de"}}
    assert faults(cadence) == [
        Fault("holidays.calendar", "There is no imported calendar 'de'.", "Did you mean DE? Or import it first.")
    ]


def derived(group, **more):
    return {"derive": {"group": group, "offsets": ["-1 WE"]}, "timezone": "Europe/Berlin", **more}


def test_a_chain_of_derived_cadences_takes_time_and_duration_from_the_nearest_that_has_them():
    found = find(derived("b"), "2026-01-01", "2026-01-15", b=derived("a", duration="3h"), a=THURSDAYS)
    assert [f"{one.wall:%m-%d %H:%M}" for one in found] == ["01-07 09:00", "01-14 09:00"]
    assert {one.ends_at - one.starts_at for one in found} == {timedelta(hours=3)}


@pytest.mark.parametrize(
    ("parents", "message"),
    [
        ({}, "The group 'b' has no cadence to derive from."),
        ({"b": derived("b")}, "The dates of 'b' derive from themselves."),
        ({"b": derived("c"), "c": derived("b")}, "The dates of 'b' derive from themselves."),
    ],
)
def test_a_circle_or_a_missing_parent_is_refused(parents, message):
    [fault] = faults(derived("b"), **parents)
    assert (fault.path, fault.message) == ("derive.group", message)
    assert fault.cure


def test_a_far_date_costs_no_more_than_a_near_one():
    old = {**THURSDAYS, "start": "1910-01-06T09:00"}
    find(old, "2030-01-01", "2030-02-01")
    began = perf_counter()
    for _ in range(20):
        assert len(find(old, "2030-01-01", "2030-02-01")) == 5
    assert (perf_counter() - began) / 20 < 0.1


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
    ],
)
def test_a_rule_that_never_comes_gives_up(rule):
    began = perf_counter()
    assert not comes(parse(rule), start=date(2026, 1, 8))
    assert find({**THURSDAYS, "rrule": rule}, "1900-01-01", "2200-01-01") == []
    assert perf_counter() - began < 3


def test_moments_at_the_ends_of_time_are_no_error():
    assert find(THURSDAYS, "0001-01-01", "1900-01-01") == []
    assert find(THURSDAYS, "9999-01-01", "9999-12-31") == []
    assert find(THURSDAYS, "2026-02-01", "2026-01-01") == []
    assert windows({**THURSDAYS, "start": "2026-01-08T09:00"}, after=at("0001-01-01"), before=at("1900-01-01")) == []


def test_no_more_than_asked_for_are_given():
    found = occurrences(THURSDAYS, after=at("2026-01-01"), before=at("2100-01-01"), calendars={}, parents={}, most=2)
    assert [one.wall.day for one in found] == [8, 15]


def test_the_next_few_are_found_soon_however_far_one_looks():
    rare = {**THURSDAYS, "rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO"}
    for cadence, years in ((THURSDAYS, [2026, 2026, 2026]), (rare, [2044, 2072, 2112])):
        began = perf_counter()
        found = occurrences(cadence, after=at("2026-01-01"), before=at("2200-01-01"), calendars={}, parents={}, most=3)
        assert [one.wall.year for one in found] == years
        assert perf_counter() - began < 3


def test_an_offset_without_its_anchor_has_no_moment_yet():
    known = {"start": at("2026-01-08T08:00"), "end": None, "opening": None}
    for text in ("4h", "end -2h", "opening +1 day"):
        assert moment_of(text, **known, zone="Europe/Berlin", days_off={}) is None
    assert moment_of("-2h", **known, zone="Europe/Berlin", days_off={}) == at("2026-01-08T06:00")


def test_days_off_may_be_a_mapping_or_an_imported_calendar():
    off = {date(2026, 1, 9): "Ours"}
    known = {"start": at("2026-01-08T08:00"), "end": None, "opening": None, "zone": "Europe/Berlin"}
    for days_off in (off, working_days("ours", {"ours": off})):
        assert moment_of("+1 working day", **known, days_off=days_off) == at("2026-01-12T08:00")


def test_a_nonsense_offset_is_refused():
    with pytest.raises(InvalidInput, match="'soon' is not an offset"):
        moment_of("soon", start=None, end=None, opening=None, zone="UTC", days_off={})


@pytest.mark.parametrize(
    ("preset", "rule"),
    [
        (Preset("daily"), "FREQ=DAILY"),
        (Preset("weekly", ("TH",)), "FREQ=WEEKLY;BYDAY=TH"),
        (Preset("weekly"), "FREQ=WEEKLY"),
        (Preset("every_two_weeks", ("MO", "TH")), "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH"),
        (Preset("monthly_by_date", month_day=15), "FREQ=MONTHLY;BYMONTHDAY=15"),
        (Preset("monthly_by_date"), "FREQ=MONTHLY"),
        (Preset("monthly_by_weekday", ("TH",), 3), "FREQ=MONTHLY;BYDAY=3TH"),
        (Preset("quarterly_by_date", month_day=-1), "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=-1"),
        (Preset("quarterly_by_weekday", ("FR",), -1), "FREQ=MONTHLY;INTERVAL=3;BYDAY=-1FR"),
        (Preset("custom", rule="FREQ=DAILY;INTERVAL=2"), "FREQ=DAILY;INTERVAL=2"),
    ],
)
def test_a_choice_becomes_a_rule_and_a_rule_the_choice(preset, rule):
    assert rule_of(preset) == rule
    assert preset_of(rule) == preset


def test_there_is_a_choice_of_every_kind():
    assert {preset_of(rule).kind for rule in ("FREQ=MONTHLY;BYDAY=MO", "FREQ=MONTHLY;BYDAY=1MO,2TU")} == {"custom"}
    assert "custom" in PRESETS


@pytest.mark.parametrize(
    ("preset", "path"),
    [
        (Preset("sometimes"), "kind"),
        (Preset("custom", rule="FREQ=HOURLY"), "rule"),
        (Preset("weekly", ("XX",)), "weekdays"),
        (Preset("monthly_by_weekday", ("TH",)), "nth"),
        (Preset("monthly_by_weekday", nth=1), "weekdays"),
        (Preset("monthly_by_date", month_day=32), "month_day"),
    ],
)
def test_a_wrong_choice_is_told_at_its_field(preset, path):
    with pytest.raises(InvalidInput) as caught:
        rule_of(preset)
    assert [fault.path for fault in caught.value.faults] == [path]


@settings(max_examples=100, deadline=None)
@given(rules())
def test_any_rule_comes_back_from_its_choice(rule):
    again = parse(rule_of(preset_of(rule)))
    assert set(again.by_day) == set(parse(rule).by_day)
    assert [getattr(again, name) for name in ("freq", "interval", "count", "by_set_pos", "week_start")] == [
        getattr(parse(rule), name) for name in ("freq", "interval", "count", "by_set_pos", "week_start")
    ]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "; holidays in DE move to the next working day"),
        ({"holidays": {"calendar": "NYSE", "roll": "skip"}}, "; skipped on holidays in NYSE"),
        (
            {"holidays": {"calendar": "US", "roll": "previous_working_day", "weekends": True}},
            "; holidays and weekends in US move to the working day before",
        ),
        ({"holidays": {"calendar": "DE"}, "until": "2026-12-31"}, ", until 31 December 2026; kept on holidays in DE"),
        ({"holidays": {"calendar": "DE"}, "count": 1}, ", once; kept on holidays in DE"),
    ],
)
def test_a_cadence_is_one_sentence(more, words):
    assert cadence_in_words({**THURSDAYS, **more}) == WORDS + words


def test_exceptions_and_derived_dates_are_said():
    cadence = {key: value for key, value in THURSDAYS.items() if key != "holidays"}
    exceptions = {"include": ["2026-01-20"], "exclude": ["2026-01-15", "2026-01-22"], "duration": "1h30m"}
    assert cadence_in_words({**cadence, **exceptions}) == (
        "Every Thursday at 09:00 (Europe/Berlin), for 1 hour 30 minutes; also on 20 January 2026; "
        "not on 15 January 2026 and 22 January 2026"
    )
    offsets = ["-1 WE", "+2 WE", "-6 working days"]
    assert cadence_in_words({"timezone": "UTC", "derive": {"group": "monthly", "offsets": offsets}}) == (
        "On the Wednesday before, the second Wednesday after and the day 6 working days before "
        "each date of monthly (UTC)"
    )


def test_another_time_of_day_moves_every_occurrence_of_any_rule():
    cadence = {**THURSDAYS, "rrule": "FREQ=MONTHLY;BYDAY=3TH;UNTIL=20260319T080000Z"}
    moved = shifted(cadence, by_days=0, to_time=time(17, 30))
    assert moved["start"] == "2026-01-08T17:30"
    before, after = find(cadence, "2026-01-01", "2027-01-01"), find(moved, "2026-01-01", "2027-01-01")
    assert [one.wall.replace(hour=17, minute=30) for one in before] == [one.wall for one in after]
    assert len(before) == 3


def test_exceptions_and_ends_move_along_and_the_given_cadence_stays():
    cadence = {**THURSDAYS, "include": ["2026-01-20"], "exclude": ["2026-01-15"], "until": "2026-01-29"}
    kept = dict(cadence)
    moved = shifted(cadence, by_days=1, to_time=time(10))
    assert cadence == kept
    assert [f"{one.wall:%m-%d %H:%M}" for one in find(moved)] == [
        "01-09 10:00",
        "01-21 10:00",
        "01-23 10:00",
        "01-30 10:00",
    ]
    assert (moved["include"], moved["exclude"], moved["until"]) == (["2026-01-21"], ["2026-01-16"], "2026-01-30")


def test_derived_dates_move_with_their_parent_only():
    for cadence, by_days in ((derived("a"), 1), (derived("a", start="2026-01-01T10:00"), 1), (derived("a"), 0)):
        with pytest.raises(InvalidInput, match="group 'a'"):
            shifted(cadence, by_days=by_days, to_time=time(9))
    moved = shifted(derived("a", start="2026-01-01T10:00"), by_days=0, to_time=time(9))
    assert moved["start"] == "2026-01-01T09:00"


def test_a_recurring_window_that_began_before_the_range_still_overlaps_it():
    window = {"rrule": "FREQ=WEEKLY", "start": "2026-03-27T22:00", "timezone": "Europe/Berlin", "duration": "2d"}
    [span] = windows(window, after=at("2026-03-29T00:00"), before=at("2026-04-01T00:00"))
    assert span == Span(at("2026-03-27T21:00"), at("2026-03-29T20:00"))
    assert windows(window, after=at("2026-03-29T20:00"), before=at("2026-03-30T20:00")) == []
