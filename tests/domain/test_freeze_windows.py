"""A freeze's windows: rows where it really applies, following its document, lifted by people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User

from config.errors import Conflict, InvalidInput, NotPermitted
from config.models import Event
from releases.execution import tick
from releases.freeze_documents import delete_freeze, export_freeze, save_freeze
from releases.freezes import blocks, blocks_between, open_windows
from releases.models import ActivityRun, Freeze, FreezeException, FreezeWindow, Release
from releases.scopes import Subject
from releases.services.freezing import lift_freeze, stop_the_line
from releases.services.windows import AGAIN, HORIZON, plan_freeze
from tests.builders import MONDAY, start

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEKEND = "{rrule: 'FREQ=WEEKLY;BYDAY=FR', start: 2026-01-02T18:00, duration: 2d12h, timezone: Europe/Berlin}"
EASTER = "{start: 2026-03-30T00:00, end: 2026-04-07T00:00, timezone: Europe/Berlin}"
PLAIN = Subject(group="train", process="shop")
ONE = "{id: shop, phases: [{id: a, name: A, activities: [{id: b, manual: {instructions: Look.}}]}]}"


def freeze(window: str, *, slug: str = "quiet", now: datetime = MONDAY, by: User | None = None, **more: Any) -> Freeze:
    document = {
        "kind": "Freeze",
        "id": slug,
        "name": slug.title(),
        "scope": {"everything": True},
        "window": yaml.safe_load(window),
        **more,
    }
    return save_freeze(by, document, now=now)[0]


def times(of: Freeze) -> list[tuple[str, str]]:
    return [
        (f"{one.starts_at:%m-%d %H:%M}", f"{one.ends_at:%m-%d %H:%M}" if one.ends_at else "")
        for one in of.windows.order_by("starts_at")
    ]


def slugs(at: datetime, subject: Subject = PLAIN, release: Release | None = None) -> list[str]:
    return [block.slug for block in blocks(subject, at=at, release=release)]


def test_a_one_off_freeze_has_one_window_in_its_zone():
    quiet = freeze(EASTER)
    assert times(quiet) == [("03-29 22:00", "04-06 22:00")]
    assert (quiet.version, quiet.planned_until, quiet.next_plan_at) == (1, None, None)
    begins, ends = datetime(2026, 3, 29, 22, tzinfo=UTC), datetime(2026, 4, 6, 22, tzinfo=UTC)
    assert slugs(begins - timedelta(microseconds=1)) == []
    assert slugs(begins) == ["quiet"]
    assert slugs(ends - timedelta(microseconds=1)) == ["quiet"]
    assert slugs(ends) == []


def test_a_freeze_that_is_over_when_it_is_written_never_applied():
    assert times(freeze(EASTER, now=MONDAY + 100 * DAY)) == []


def test_a_recurring_freeze_keeps_its_wall_clock_over_daylight_saving():
    quiet = freeze(WEEKEND, now=datetime(2026, 3, 20, 12, tzinfo=UTC))
    assert times(quiet)[:3] == [
        ("03-20 17:00", "03-23 05:00"),
        ("03-27 17:00", "03-30 04:00"),
        ("04-03 16:00", "04-06 04:00"),
    ]
    assert quiet.planned_until == datetime(2026, 3, 20, 12, tzinfo=UTC) + HORIZON
    assert 57 <= quiet.windows.count() <= 58


def test_the_tick_plans_further_ahead_only_what_is_due(monkeypatch):
    told: list[int] = []
    monkeypatch.setattr("releases.queue.send_freeze_plans", told.extend)
    quiet, easter = freeze(WEEKEND), freeze(EASTER, slug="easter")
    before = quiet.windows.count()
    tick.tick(now=MONDAY + AGAIN - HOUR)
    assert told == []
    tick.tick(now=MONDAY + AGAIN)
    assert told == [quiet.pk]
    plan_freeze(quiet.pk, now=MONDAY + AGAIN)
    tick.tick(now=MONDAY + AGAIN + HOUR)
    assert told == [quiet.pk]
    quiet.refresh_from_db()
    assert quiet.planned_until == MONDAY + AGAIN + HORIZON
    assert quiet.windows.count() == before + 4
    assert easter.windows.count() == 1


def test_a_changed_freeze_plans_anew_what_is_to_come_and_keeps_what_was():
    quiet = freeze(
        "{rrule: 'FREQ=DAILY;COUNT=4', start: 2026-03-01T20:00, duration: 2h, timezone: UTC}", now=MONDAY - 2 * DAY
    )
    first, second = ("03-01 20:00", "03-01 22:00"), ("03-02 20:00", "03-02 22:00")
    assert times(quiet)[:2] == [first, second]
    during = MONDAY.replace(hour=21)
    freeze("{rrule: 'FREQ=DAILY;COUNT=4', start: 2026-03-01T20:00, duration: 3h, timezone: UTC}", now=during)
    assert times(quiet) == [
        first,
        ("03-02 20:00", "03-02 23:00"),
        ("03-03 20:00", "03-03 23:00"),
        ("03-04 20:00", "03-04 23:00"),
    ]
    freeze("{start: 2026-05-01T00:00, end: 2026-05-02T00:00, timezone: UTC}", now=during + HOUR)
    assert times(quiet) == [first, second, ("05-01 00:00", "05-02 00:00")]
    quiet.refresh_from_db()
    assert (quiet.version, quiet.planned_until) == (3, None)


def test_writing_the_same_again_changes_nothing():
    quiet = freeze(WEEKEND)
    events, rows = Event.objects.count(), list(quiet.windows.values_list("pk", flat=True))
    document = export_freeze(Freeze.objects.get())
    assert save_freeze(None, document, now=MONDAY + HOUR)[1] == "unchanged"
    assert (Event.objects.count(), list(quiet.windows.values_list("pk", flat=True))) == (events, rows)


def test_the_line_is_stopped_in_one_action_and_lifted_later(manager, stranger):
    with pytest.raises(NotPermitted):
        stop_the_line(stranger, scope={"everything": True}, reason="Payments are down", now=MONDAY)
    with pytest.raises(InvalidInput):
        stop_the_line(manager, scope={"everything": True}, reason=" ", now=MONDAY)
    moment = MONDAY.replace(microsecond=999)
    stopped = stop_the_line(manager, scope={"everything": True}, reason="Payments are down", now=moment)
    block = blocks(PLAIN, at=moment, release=None)[0]
    assert (block.name, block.ends_at, block.in_flight) == ("Line stopped: Payments are down", None, "hold")
    assert slugs(MONDAY + 5000 * DAY) == [stopped.slug]

    with pytest.raises(NotPermitted):
        lift_freeze(stranger, stopped, now=MONDAY + HOUR, reason="They are back")
    lift_freeze(manager, stopped, now=MONDAY + HOUR, reason="They are back")
    assert slugs(MONDAY + HOUR) == []
    assert slugs(MONDAY + HOUR - timedelta(seconds=1)) == [stopped.slug]
    window = FreezeWindow.objects.get()
    assert (window.lifted_at, window.lifted_by_name) == (MONDAY + HOUR, "manager")
    lifted = Event.objects.get(verb="freeze.lifted")
    assert (lifted.actor_name, lifted.reason) == ("manager", "They are back")
    with pytest.raises(Conflict) as refused:
        lift_freeze(manager, stopped, now=MONDAY + 2 * HOUR, reason="Again")
    assert refused.value.code == "not_open"


def test_a_lifted_freeze_stays_lifted_when_its_words_change(manager):
    stopped = stop_the_line(manager, scope={"everything": True}, reason="x", now=MONDAY, until=MONDAY + DAY)
    lift_freeze(manager, stopped, now=MONDAY + HOUR, reason="y")
    save_freeze(manager, {**export_freeze(stopped), "name": "Other"}, now=MONDAY + 2 * HOUR)
    assert slugs(MONDAY + 3 * HOUR) == []


def test_a_stop_until_a_moment_ends_by_itself_and_not_in_the_past(manager):
    stop_the_line(manager, scope={"everything": True}, reason="x", now=MONDAY, until=MONDAY + HOUR)
    assert (len(slugs(MONDAY)), slugs(MONDAY + HOUR)) == (1, [])
    with pytest.raises(InvalidInput) as refused:
        stop_the_line(manager, scope={"everything": True}, reason="x", now=MONDAY, until=MONDAY)
    assert [fault.path for fault in refused.value.faults] == ["until"]


def test_lifting_one_window_of_a_recurring_freeze_leaves_the_next(manager):
    quiet = freeze(WEEKEND)
    friday = datetime(2026, 3, 6, 20, tzinfo=UTC)
    lift_freeze(manager, quiet, now=friday, reason="A hot fix")
    assert slugs(friday) == []
    assert slugs(friday + 7 * DAY) == ["quiet"]


def test_what_blocks_is_in_scope_and_the_longest_comes_last():
    freeze(EASTER, slug="long")
    freeze("{start: 2026-04-01T00:00, duration: 1d, timezone: UTC}", slug="short")
    freeze("{start: 2026-04-01T00:00, until_lifted: true, timezone: UTC}", slug="endless", in_flight="hold")
    freeze(EASTER, slug="tagged", scope={"tags": ["deployment"]})
    at = datetime(2026, 4, 1, 12, tzinfo=UTC)
    assert slugs(at) == ["short", "long", "endless"]
    assert len(open_windows(at)) == 4
    tagged = Subject(group="", process="shop", tags=frozenset({"deployment"}))
    assert slugs(at, tagged) == ["short", "long", "tagged", "endless"]


def test_blocks_between_are_those_that_overlap():
    freeze(EASTER)
    begins = datetime(2026, 3, 29, 22, tzinfo=UTC)
    found = [
        blocks_between(PLAIN, after=begins + after * HOUR, before=begins + before * HOUR, release=None)
        for after, before in ((-2, 0), (-2, 1), (1, 2), (190, 400), (192, 400))
    ]
    assert [len(blocked) for blocked in found] == [0, 1, 1, 1, 0]


def test_an_exception_takes_off_the_time_until_it_expires(engine):
    release, quiet = start(ONE), freeze(EASTER)
    at = datetime(2026, 4, 1, 12, tzinfo=UTC)
    granted = FreezeException.objects.create(
        freeze=quiet, release=release, reason="x", expires_at=at + HOUR, asked_at=MONDAY, state="granted"
    )
    assert slugs(at, release=release) == []
    assert slugs(at, release=None) == ["quiet"]
    assert slugs(at + HOUR, release=release) == ["quiet"]
    left = blocks_between(PLAIN, after=at, before=at + 2 * HOUR, release=release)
    assert [block.starts_at for block in left] == [at + HOUR]
    assert blocks_between(PLAIN, after=at, before=at + HOUR, release=release) == []
    for state in ("pending", "refused", "withdrawn"):
        FreezeException.objects.filter(pk=granted.pk).update(state=state)
        assert slugs(at, release=release) == ["quiet"]


def test_what_blocks_is_found_with_two_queries(engine, django_assert_max_num_queries):
    release = start(ONE)
    for index in range(5):
        freeze(EASTER, slug=f"quiet-{index}")
    with django_assert_max_num_queries(2):
        assert len(slugs(datetime(2026, 4, 1, tzinfo=UTC), release=release)) == 5


def test_what_a_freeze_held_is_looked_at_again_when_it_goes(engine, manager):
    def held() -> list[bool]:
        return [run.held_until == now for run in ActivityRun.objects.order_by("pk")]

    for kind in ("freeze", "opens"):
        run = ActivityRun.objects.filter(release=start(ONE))
        run.update(held_by={"kind": kind}, held_until=MONDAY + DAY)
    overdue = Release.objects.create(
        process=Release.objects.all()[0].process,
        name="Overdue",
        state="scheduled",
        created_at=MONDAY,
        planned_start_at=MONDAY,
        next_try_at=MONDAY + 20 * DAY,
    )
    quiet = freeze("{start: 2026-03-02T00:00, end: 2026-03-05T00:00, timezone: UTC}")
    now = MONDAY + HOUR
    assert held() == [False, False]
    lift_freeze(manager, quiet, now=now, reason="x")
    assert held() == [True, False]
    overdue.refresh_from_db()
    assert overdue.next_try_at == now
    now = MONDAY + 2 * HOUR
    ActivityRun.objects.update(held_until=MONDAY + DAY)
    delete_freeze(None, quiet, now=now)
    assert held() == [True, False]
    assert not FreezeWindow.objects.exists()


def test_releases_that_start_soon_are_looked_at_again_when_a_freeze_comes_changes_or_goes():
    release = start(ONE)
    soon, far = (
        Release.objects.create(
            process=release.process, name="R", state="scheduled", created_at=MONDAY, planned_start_at=MONDAY + ahead
        )
        for ahead in (DAY, 60 * DAY)
    )
    stopped = stop_the_line(None, scope={"everything": True}, reason="leak", now=MONDAY)
    assert Release.objects.get(pk=soon.pk).check_at == MONDAY
    lift_freeze(None, stopped, now=MONDAY + HOUR, reason="mended")
    assert Release.objects.get(pk=soon.pk).check_at == MONDAY + HOUR
    delete_freeze(None, stopped, now=MONDAY + 2 * HOUR)
    assert Release.objects.get(pk=soon.pk).check_at == MONDAY + 2 * HOUR
    assert Release.objects.get(pk=far.pk).check_at is None
