from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from config.errors import InvalidInput
from processes.recurrence import WEEKDAYS, parse, rule_faults
from processes.recurrence_days import comes, days_of
from releases.cadence import occurrences
from tests.pure.golden import OUR_DAYS

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Europe/Dublin", "Pacific/Apia", "Asia/Kolkata"]
many = settings(max_examples=100, deadline=None)


def some(values, most=3):
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


@st.composite
def rules(draw):
    """Right rules of every kind, most of which come round."""
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.sampled_from([1, 1, 1, 2, 3, 5, 7, 12]))}"]
    days = draw(st.one_of(st.none(), some(list(WEEKDAYS), 5)))
    if days and freq in ("MONTHLY", "YEARLY"):
        numbered = st.sampled_from(["1", "2", "3", "-1", "-2"]) if draw(st.booleans()) else st.just("")
        ordinals = draw(st.lists(numbered, min_size=5, max_size=5))  # not mixed: dateutil joins `MO,1SU` with "and"
        days = [f"{ordinal}{day}" for ordinal, day in zip(ordinals, days, strict=False)]
    plain = not days or all(len(day) == 2 for day in days)
    if freq == "YEARLY" and days and plain and draw(st.booleans()):
        parts.append(f"BYWEEKNO={','.join(map(str, draw(some([1, 2, 20, 52, 53, -1]))))}")
    elif freq != "WEEKLY" and draw(st.booleans()):
        parts.append(f"BYMONTHDAY={','.join(map(str, draw(some([1, 2, 13, 15, 28, 29, 30, 31, -1, -2, -31], 6))))}")
    if days:
        parts.append(f"BYDAY={','.join(days)}")
    if draw(st.booleans()):
        parts.append(f"BYMONTH={','.join(map(str, draw(some(list(range(1, 13)), 6))))}")
    if len(parts) > 2 and draw(st.booleans()):
        parts.append(f"BYSETPOS={','.join(map(str, draw(some([1, 2, 3, -1, -2]))))}")
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(WEEKDAYS))}")
    if draw(st.integers(0, 3)) == 0:
        parts.append(f"COUNT={draw(st.integers(1, 20))}")
    return ";".join(parts)


starts = st.dates(date(2000, 1, 1), date(2030, 12, 31))


@st.composite
def cadences(draw):
    cadence = {
        "rrule": draw(rules()),
        "start": datetime.combine(draw(starts), draw(st.sampled_from([time(0), time(2, 15), time(2, 30), time(9)]))),
        "timezone": draw(st.sampled_from(ZONES)),
        "duration": draw(st.sampled_from(["2d", "36h", "1h"])),
    }
    cadence["start"] = cadence["start"].isoformat(timespec="minutes")
    near = st.dates(date(2009, 1, 1), date(2013, 1, 1)).map(date.isoformat)
    if draw(st.booleans()):
        cadence |= {"include": draw(st.lists(near, max_size=4)), "exclude": draw(st.lists(near, max_size=4))}
    if draw(st.booleans()):
        roll = draw(st.sampled_from(["keep", "skip", "next_working_day", "previous_working_day"]))
        weekends = draw(st.booleans())
        cadence["holidays"] = {
            "calendar": draw(st.sampled_from(["DE", "US", "our-days"])),
            "roll": roll,
            "weekends": weekends,
        }
    return cadence


def between(cadence, after, before, parents=None, most=10_000):
    calendars = {"our-days": OUR_DAYS}
    return occurrences(cadence, after=after, before=before, calendars=calendars, parents=parents or {}, most=most)


moments = st.datetimes(datetime(2010, 1, 1), datetime(2012, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@many
@given(rules(), starts)
def test_the_days_of_a_rule_are_those_of_dateutil(rule, start):
    assume(comes(parse(rule), start=start))  # dateutil looks for what never comes up to the year 9999
    if "WEEKLY" in rule and "BYSETPOS" in rule:  # there dateutil cuts the first week short, but no first month or year
        start -= timedelta(days=(start.weekday() - parse(rule).week_start) % 7)
    last = min(start + timedelta(days=3_000), date(2040, 1, 1))
    theirs = []
    for moment in rrulestr(rule, dtstart=datetime.combine(start, time(9))):
        if moment.date() > last:
            break
        theirs.append(moment.date())
    assert list(days_of(parse(rule), start=start, first=start, last=last)) == theirs


@many
@given(rules(), starts, st.integers(0, 3_000), st.integers(0, 800))
def test_looking_from_the_middle_finds_what_looking_from_the_start_does(rule, start, skip, length):
    first = start + timedelta(days=skip)
    last = first + timedelta(days=length)
    whole = days_of(parse(rule), start=start, first=start, last=last)
    assert list(days_of(parse(rule), start=start, first=first, last=last)) == [day for day in whole if day >= first]


@many
@given(cadences(), moments, moments)
def test_occurrences_are_in_order_in_range_and_each_is_there_once(cadence, after, before):
    found = between(cadence, after, before)
    starts_at = [one.starts_at for one in found]
    assert starts_at == sorted(set(starts_at))
    assert len({one.occurs_at for one in found}) == len(found)
    for one in found:
        assert after <= one.starts_at < before
        assert one.ends_at > one.starts_at
        assert one.starts_at.astimezone(ZoneInfo(cadence["timezone"])).replace(tzinfo=None) == one.wall


@many
@given(cadences(), st.lists(moments, min_size=3, max_size=3))
def test_a_range_cut_in_two_gives_the_same(cadence, cuts):
    after, middle, before = sorted(cuts)
    assert between(cadence, after, before) == between(cadence, after, middle) + between(cadence, middle, before)
    assert between(cadence, after, before, most=3) == between(cadence, after, before)[:3]


@many
@given(cadences(), st.lists(moments, min_size=3, max_size=3))
def test_a_derived_range_cut_in_two_gives_the_same(parent, cuts):
    after, middle, before = sorted(cuts)
    offsets = ["-1 WE", "+1 WE", "-6 working days", "+3 days", "-1 week"]
    child = {"derive": {"group": "p", "offsets": offsets}, "timezone": "Europe/Berlin"}
    parts = [between(child, a, b, {"p": parent}) for a, b in ((after, before), (after, middle), (middle, before))]
    assert parts[0] == parts[1] + parts[2]


@many
@given(cadences(), moments, moments)
def test_the_time_on_the_wall_stays_the_same_over_daylight_saving(cadence, after, before):
    clock = datetime.fromisoformat(cadence["start"]).time()
    for one in between(cadence, after, before):
        assert (one.wall.time() == clock) or any(bend.kind == "gap" for bend in one.bends)


@many
@given(st.text(alphabet="FREQ=WEKLYDAIBMONTHSUCP;,0123456789-+", max_size=60))
def test_any_text_is_a_rule_or_has_faults(text):
    if rule_faults(text):
        with pytest.raises(InvalidInput):
            parse(text)
    else:
        parse(text)
