"""Planning, starting and freezing at the same moment, on real connections: each thing happens exactly once.

Weekly, Thursdays at nine in Berlin, from 4 June 2026 on, for two days. It is Monday, 1 June, noon UTC.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User

from config.errors import Conflict
from config.models import Event
from processes.services import apply
from releases.execution import tick
from releases.execution.locked import lock_release
from releases.groups import export_group, save_group
from releases.models import ActivityRun, BreakGlass, Freeze, Release, ReleaseGroup
from releases.services import planning, trains
from releases.services.due import begin_due
from releases.services.freezing import lift_freeze, stop_the_line
from releases.services.gates import Stopped
from releases.services.moving import move_release, skip_occurrence
from releases.services.starting import start_release
from tests.builders import scripted_connection, states, work
from tests.messages import drain
from tests.together import all_at_once, at_lock, at_once

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DUE = datetime(2026, 6, 4, 7, tzinfo=UTC)
WEEK = timedelta(days=7)
SHOP = """
kind: Process
id: shop
name: Shop
phases:
  - id: only
    name: Only
    activities:
      - {id: ship, automated: {connection: scripted, pipeline: ship}}
      - {id: tell, depends_on: [ship], automated: {connection: scripted, pipeline: tell}}
"""
DOCUMENT: dict[str, Any] = {
    "kind": "ReleaseGroup",
    "id": "train",
    "name": "Train",
    "process": "shop",
    "version": "1.${{ sequence }}",
    "cadence": {
        "rrule": "FREQ=WEEKLY;BYDAY=TH",
        "start": "2026-06-04T09:00",
        "timezone": "Europe/Berlin",
        "duration": "2d",
    },
}
GROUPS = "releases_releasegroup"


@pytest.fixture(autouse=True)
def shop(engine: Any, groups: Any) -> None:
    """A published process with two automated activities, and an empty queue."""
    scripted_connection()
    apply(None, SHOP, now=NOW, publish=True)
    drain()


@pytest.fixture
def people(manager: User, admin: User) -> list[User]:
    """Two who may start releases, also in spite of what stops them."""
    return [manager, admin]


def train(slug: str = "train", **more: Any) -> ReleaseGroup:
    """Save a group, planned."""
    return save_group(None, {**DOCUMENT, "id": slug, **more}, now=NOW)[0]


def with_rule(**changes: Any) -> dict[str, Any]:
    """The group's document with parts of its cadence changed."""
    return {**DOCUMENT, "cadence": {**DOCUMENT["cadence"], **changes}}


def unplanned(*slugs: str) -> list[ReleaseGroup]:
    """Groups that the tick has to plan from nothing."""
    found = [train(slug) for slug in slugs]
    Release.objects.all().delete()
    ReleaseGroup.objects.update(planned_until=None, next_plan_at=NOW)
    return found


def nth(number: int) -> Release:
    """The group's release of this number, the first being 1."""
    return Release.objects.order_by("planned_start_at", "pk")[number - 1]


def planned(slug: str = "train") -> list[tuple[str, int | None, str]]:
    """Start, number and version of what is scheduled, in order."""
    rows = Release.objects.filter(group__slug=slug, state="scheduled").order_by("planned_start_at")
    columns = rows.values_list("planned_start_at", "sequence", "version")
    return [(f"{at:%m-%d %H:%M}", number, version) for at, number, version in columns]


def as_the_rule_says(weeks: int = 13) -> list[tuple[str, int | None, str]]:
    """What `planned` gives when every Thursday has its release, numbered without a gap."""
    return [(f"{DUE + WEEK * week:%m-%d %H:%M}", week + 1, f"1.{week + 1}") for week in range(weeks)]


def refused(answers: list[Any]) -> Conflict:
    """The one Conflict among the answers, of which all others are no errors."""
    (found,) = [answer for answer in answers if isinstance(answer, Exception)]
    assert isinstance(found, Conflict), repr(found)
    return found


def started() -> Counter[int | None]:
    """How often each release was started, as the trail tells it."""
    return Counter(Event.objects.filter(verb="release.started").values_list("release_id", flat=True))


# Planning -------------------------------------------------------------------------------------------------------------


def test_eight_workers_plan_the_same_group_at_once():
    (group,) = unplanned("train")
    answers = at_lock(GROUPS, group.pk, [lambda: trains.plan_group(group.pk, now=NOW)] * 8)
    assert sorted(len(changes) for changes in answers) == [0] * 7 + [13]
    assert planned() == as_the_rule_says()
    ids = Release.objects.values("pk")
    assert Event.objects.filter(verb="release.planned", release_id__in=ids).count() == 13


def test_many_ticks_and_workers_plan_several_groups_at_once():
    slugs = [f"train-{number}" for number in range(4)]
    unplanned(*slugs)
    all_at_once(*[lambda: tick.tick(now=NOW)] * 4)
    sent = [ids[0] for name, ids in drain() if name == "plan_group"]
    assert sorted(sent) == sorted(ReleaseGroup.objects.values_list("pk", flat=True)), "each is sent once"
    answers = all_at_once(*[lambda pk=pk: trains.plan_group(pk, now=NOW) for pk in sent * 3])
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    for slug in slugs:
        assert planned(slug) == as_the_rule_says()


def test_the_horizon_moves_on_under_many_workers_and_numbers_have_no_gap():
    group = train()
    for week in range(1, 5):
        now = NOW + WEEK * week
        all_at_once(*[lambda now=now: trains.plan_group(group.pk, now=now)] * 4)
    assert planned() == as_the_rule_says(17)


@pytest.mark.parametrize("first", ["edit", "plan"])
def test_the_cadence_is_edited_while_the_tick_plans(first):
    (group,) = unplanned("train")
    acts = {
        "edit": lambda: save_group(None, with_rule(start="2026-06-04T15:30"), now=NOW),
        "plan": lambda: trains.plan_group(group.pk, now=NOW),
    }
    order = [first, *(name for name in acts if name != first)]
    answers = at_lock(GROUPS, group.pk, [acts[name] for name in order])
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    trains.plan_group(group.pk, now=NOW)
    assert planned() == [(at.replace("07:00", "13:30"), *rest) for at, *rest in as_the_rule_says()]


@pytest.mark.parametrize("first", ["parent", "child"])
def test_dates_are_derived_from_a_group_that_is_edited_at_the_same_moment(first):
    parent = train("monthly", cadence={**DOCUMENT["cadence"], "rrule": "FREQ=MONTHLY;BYDAY=3TH"})
    around = {"derive": {"group": "monthly", "offsets": ["-1 WE"]}, "timezone": "Europe/Berlin", "duration": "1d"}
    child = train(cadence=around)
    rule = {**DOCUMENT["cadence"], "rrule": "FREQ=MONTHLY;BYDAY=2TH"}
    acts = {
        "parent": lambda: save_group(None, {**export_group(parent), "cadence": rule}, now=NOW),
        "child": lambda: trains.plan_group(child.pk, now=NOW),
    }
    order = [first, *(name for name in acts if name != first)]
    answers = at_lock(GROUPS, child.pk, [acts[name] for name in order])
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    child.refresh_from_db()
    if first == "parent":
        assert planned()[0][0] == "06-10 07:00", "the worker waited and saw the new dates"
    else:
        assert child.next_plan_at == NOW, "the tick plans it again"
        trains.plan_group(child.pk, now=NOW)
    assert [at for at, *_ in planned()] == ["06-10 07:00", "07-08 07:00", "08-12 07:00"]


def test_a_release_is_moved_while_its_group_is_planned_anew(manager):
    group = train()
    release = nth(2)
    answers = at_once(
        release.pk,
        lambda: move_release(manager, release, starts_at=DUE + WEEK + timedelta(hours=3), now=NOW),
        lambda: save_group(None, with_rule(start="2026-06-04T15:30"), now=NOW),
    )
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    trains.plan_group(group.pk, now=NOW)
    assert [at for at, *_ in planned()][:3] == ["06-04 13:30", "06-11 10:00", "06-18 13:30"]
    assert len(planned()) == 13


def test_planning_waits_for_no_release_that_has_started(manager):
    group = train()
    running = start_release(manager, nth(1), now=NOW)
    with lock_release(running.pk, now=NOW):
        (changes,) = all_at_once(lambda: trains.plan_group(group.pk, now=NOW + WEEK))
    assert [change.kind for change in changes] == ["created"]


def test_one_date_is_skipped_twice_at_once(manager):
    group = train()
    release = nth(2)
    skip = [lambda: skip_occurrence(manager, group, occurs_at=DUE + WEEK, reason="no", now=NOW)] * 2
    assert refused(at_once(release.pk, *skip)).code == "wrong_state"
    assert Event.objects.filter(verb="release.cancelled").count() == 1


# Starting -------------------------------------------------------------------------------------------------------------


def test_two_people_start_two_releases_of_a_queueing_group_at_once(people):
    group = train(overlap="queue")
    releases = [nth(1), nth(2)]
    start = [
        lambda one=one, who=who: start_release(who, one, now=NOW) for one, who in zip(releases, people, strict=True)
    ]
    assert refused(at_lock(GROUPS, group.pk, start)).code == "overlap"
    assert Counter(Release.objects.values_list("state", flat=True))["running"] == 1
    assert sum(started().values()) == 1


def test_releases_that_are_due_together_start_in_their_order_whoever_looks_first():
    group = train(overlap="queue")
    late = DUE + 2 * WEEK
    third, second, first = nth(3), nth(2), nth(1)
    begin = [lambda one=one: begin_due(one.pk, now=late) for one in (third, second, first)]
    assert at_lock(GROUPS, group.pk, begin) == [False, False, True]
    states = Release.objects.filter(pk__in=[first.pk, second.pk, third.pk]).order_by("planned_start_at")
    assert list(states.values_list("state", flat=True)) == ["running", "scheduled", "scheduled"]


def test_several_workers_and_a_person_start_a_due_release_at_once(manager):
    train()
    release = nth(1)
    acts = [*[lambda: begin_due(release.pk, now=DUE)] * 3, lambda: start_release(manager, release, now=DUE)]
    answers = at_once(release.pk, *acts)
    assert sum(answer is True for answer in answers) + isinstance(answers[-1], Release) == 1
    assert started() == {release.pk: 1}
    assert ActivityRun.objects.filter(release=release).count() == 2


@pytest.mark.parametrize("first", ["start", "cancel"])
def test_a_release_is_started_and_called_off_at_once(people, first):
    train()
    release = nth(1)
    acts = {
        "start": lambda: start_release(people[0], release, now=NOW),
        "cancel": lambda: planning.cancel_release(people[1], release, reason="no", now=NOW),
    }
    order = [first, *(name for name in acts if name != first)]
    refusal = refused(at_once(release.pk, *(acts[name] for name in order)))
    release.refresh_from_db()
    assert (release.state, refusal.code) == {
        "start": ("running", "wrong_state"),
        "cancel": ("cancelled", "not_startable"),
    }[first]
    assert sum(started().values()) == (first == "start")
    assert ActivityRun.objects.filter(release=release).exists() == (first == "start")


@pytest.mark.parametrize("first", ["start", "move"])
def test_a_due_release_is_moved_away_while_it_starts(manager, first):
    train()
    release = nth(1)
    acts = {
        "start": lambda: begin_due(release.pk, now=DUE),
        "move": lambda: move_release(manager, release, starts_at=DUE + timedelta(days=1), now=DUE),
    }
    order = [first, *(name for name in acts if name != first)]
    answers = at_once(release.pk, *(acts[name] for name in order))
    release.refresh_from_db()
    if first == "start":
        assert refused(answers).code == "started"
    assert (release.state, release.planned_start_at) == {
        "start": ("running", DUE),
        "move": ("scheduled", DUE + timedelta(days=1)),
    }[first]


# Freezing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", ["allow", "queue"])
def test_a_freeze_that_comes_while_a_start_waits_for_its_lock_stops_it(manager, overlap):
    train(overlap=overlap)
    release = nth(1)
    answers = at_lock(
        "releases_release",
        release.pk,
        [lambda: start_release(manager, release, now=NOW)],
        meanwhile=lambda: stop_the_line(None, scope={"everything": True}, reason="Outage", now=NOW),
    )
    assert isinstance(answers[1], Freeze), "stopping the line waits for nobody"
    assert refused(answers).code == "frozen"
    assert sum(started().values()) == 0


def test_a_freeze_that_is_lifted_while_a_start_waits_for_its_lock_does_not_stop_it(manager):
    train()
    release = nth(1)
    freeze = stop_the_line(None, scope={"everything": True}, reason="Outage", now=NOW - timedelta(hours=1))
    answers = at_lock(
        "releases_release",
        release.pk,
        [lambda: start_release(manager, release, now=NOW)],
        meanwhile=lambda: lift_freeze(None, freeze, now=NOW, reason="Back"),
    )
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert started() == {release.pk: 1}


def test_the_line_is_stopped_and_a_release_started_at_once_and_nothing_opens_afterwards(manager):
    train()
    for number in range(1, 9):
        release = nth(number)
        start, freeze = all_at_once(
            partial(start_release, manager, release, now=NOW),
            lambda: stop_the_line(None, scope={"everything": True}, reason="Outage", now=NOW),
        )
        assert isinstance(freeze, Freeze), repr(freeze)
        assert isinstance(start, Release) or refused([start, freeze]).code == "frozen"
        work(release)
        assert states(release).get("only/tell", "pending") == "pending", "what was open goes on, nothing opens after it"
        lift_freeze(None, freeze, now=NOW + timedelta(seconds=1), reason="Back")
        Freeze.objects.all().delete()


def test_the_glass_is_broken_by_two_at_once_and_broken_once(people):
    train()
    release = nth(1)
    stop_the_line(None, scope={"everything": True}, reason="Outage", now=NOW)
    start = [lambda who=who: start_release(who, release, now=NOW, break_glass="Down") for who in people]
    assert refused(at_once(release.pk, *start)).code == "not_startable"
    assert (BreakGlass.objects.count(), started()) == (1, {release.pk: 1})
    assert Event.objects.filter(verb="release.glass_broken").count() == 1


def test_two_releases_of_a_queueing_group_cannot_both_start_while_one_breaks_the_glass(people):
    group = train(overlap="queue")
    stop_the_line(None, scope={"everything": True}, reason="Outage", now=NOW)
    first, second = nth(1), nth(2)
    acts = [
        lambda: start_release(people[0], first, now=NOW, break_glass="Down"),
        lambda: start_release(people[1], second, now=NOW),
    ]
    refusal = refused(at_lock(GROUPS, group.pk, acts))
    assert isinstance(refusal, Stopped)
    assert {one.code for one in refusal.findings} == {"frozen", "debt", "overlap"}
    assert started() == {first.pk: 1}
