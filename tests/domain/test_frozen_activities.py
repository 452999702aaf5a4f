"""Freezes at the start of activities, and `opens` and `due` inside a release (product, section 4).

build ──> deploy (tagged deployment, on an environment) ──> check
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.errors import Conflict
from config.models import Event
from processes.models import Resource
from releases.execution import decisions, holding, lifecycle, tick
from releases.models import ActivityRun, BreakGlass, Freeze, FreezeException, FreezeWindow, Release
from tests import fakes
from tests.builders import MONDAY, automated, phase_of, run_of, start, states, work

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
SHIP = f"""
id: ship
inputs: {{target: {{type: environment, default: staging}}}}
phases:
  - id: all
    activities:
      - {{id: build, automated: {automated("build")}}}
      - id: deploy
        depends_on: [build]
        tags: [deployment]
        inputs: {{where: {{type: environment}}}}
        with: {{where: "${{{{ inputs.target }}}}"}}
        automated: {automated("deploy")}
      - {{id: check, depends_on: [deploy], manual: {{instructions: Look.}}}}
"""


def freeze(*, starts: datetime, ends: datetime | None = None, in_flight: str = "drain", **scope: Any) -> FreezeWindow:
    """Freeze what a scope names."""
    row = Freeze.objects.create(slug="quiet", name="Quiet time", body={"scope": scope, "in_flight": in_flight})
    return FreezeWindow.objects.create(freeze=row, starts_at=starts, ends_at=ends)


def ship(target: str = "production", now: datetime = MONDAY) -> Release:
    """Start a release and do its work as far as it goes."""
    for slug in ("production", "staging"):
        Resource.objects.get_or_create(slug=slug, defaults={"name": slug, "type": "environment"})
    release = start(SHIP, inputs={"target": target}, now=now)
    work(release)
    return release


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the workers' clock."""

    def set_clock(moment: datetime) -> None:
        monkeypatch.setattr("releases.execution.attempts.timezone.now", lambda: moment)

    set_clock(MONDAY)
    return set_clock


def test_a_release_that_started_in_a_freeze_is_held_at_the_activity_in_its_scope(engine, at):
    freeze(starts=MONDAY - HOUR, ends=MONDAY + HOUR, tags=["deployment"], environments=["production"])
    release = ship()
    assert states(release) == {"all/build": "succeeded", "all/deploy": "pending", "all/check": "pending"}
    run = run_of(release, "all/deploy")
    assert run.held_until == MONDAY + timedelta(minutes=5), "it is looked at again soon, in case a hint is lost"
    assert run.held_by == {
        "kind": "freeze",
        "freeze": "quiet",
        "name": "Quiet time",
        "until": (MONDAY + HOUR).isoformat(),
    }
    assert Event.objects.filter(verb="activity.held", subject_id=run.pk).count() == 1


@pytest.mark.parametrize(
    "scope",
    [{"tags": ["deployment"], "environments": ["staging"]}, {"tags": ["other"]}, {"processes": ["shop"]}],
    ids=["another environment", "another tag", "another process"],
)
def test_what_is_not_in_its_scope_goes_on(engine, at, scope):
    freeze(starts=MONDAY - HOUR, **scope)
    assert states(ship())["all/deploy"] == "succeeded"


@pytest.mark.parametrize(("in_flight", "deploy"), [("drain", "succeeded"), ("hold", "pending")])
def test_what_runs_when_a_freeze_begins_drains_or_is_held(engine, at, in_flight, deploy):
    freeze(starts=MONDAY + HOUR, in_flight=in_flight, tags=["deployment"])
    release = start(SHIP, inputs={"target": "production"})
    at(MONDAY + 2 * HOUR)
    work(release)
    assert states(release)["all/deploy"] == deploy


def test_when_the_freeze_is_over_the_tick_lets_it_open(engine, at, monkeypatch):
    told: list[int] = []
    monkeypatch.setattr("releases.queue.send_held", told.extend)
    freeze(starts=MONDAY - HOUR, ends=MONDAY + HOUR, tags=["deployment"])
    release = ship()
    tick.tick(now=MONDAY + timedelta(minutes=4))
    assert told == []
    tick.tick(now=MONDAY + HOUR)
    assert told == [release.pk]
    at(MONDAY + HOUR)
    holding.look_at_held(release.pk, now=MONDAY + HOUR)
    work(release)
    assert states(release)["all/deploy"] == "succeeded"
    assert ActivityRun.objects.filter(release=release, held_until__isnull=False).count() == 0


def test_looking_too_early_changes_nothing_and_tells_nothing(engine, at):
    freeze(starts=MONDAY - HOUR, ends=MONDAY + HOUR, tags=["deployment"])
    release = ship()
    events = Event.objects.count()
    holding.look_at_held(release.pk, now=MONDAY + HOUR / 2)
    run = run_of(release, "all/deploy")
    again = MONDAY + HOUR / 2 + timedelta(minutes=5)
    assert (run.state, run.held_until, Event.objects.count()) == ("pending", again, events)


def test_an_exception_for_the_release_lets_it_through(engine, at):
    window = freeze(starts=MONDAY - HOUR, tags=["deployment"])
    release = ship()
    FreezeException.objects.create(
        freeze=window.freeze, release=release, reason="urgent", state="granted", asked_at=MONDAY,
        expires_at=MONDAY + HOUR, asked_by_name="ann",
    )  # fmt: skip
    holding.look_at_held(release.pk, now=MONDAY + HOUR / 2)
    assert run_of(release, "all/deploy").state == "queued"


def test_a_release_that_broke_the_glass_is_not_held(engine, at):
    freeze(starts=MONDAY - HOUR, in_flight="hold", tags=["deployment"])
    release = start(SHIP, inputs={"target": "production"})
    BreakGlass.objects.create(release=release, reason="urgent", at=MONDAY, by_name="ann")
    work(release)
    assert states(release)["all/deploy"] == "succeeded"


def test_a_person_may_not_retry_in_a_freeze(engine, at, admin):
    engine.script["deploy"] = [fakes.failed()]
    release = ship()
    run = run_of(release, "all/deploy")
    assert run.state == "on_hold"
    freeze(starts=MONDAY, in_flight="hold", tags=["deployment"])
    with pytest.raises(Conflict, match="Quiet time") as caught:
        decisions.retry(release.pk, run.pk, actor=admin, now=MONDAY + HOUR, inputs={})
    assert caught.value.code == "frozen"


DATED = f"""
id: dated
phases:
  - id: early
    opens: "+1 hour"
    due: "end -1h"
    activities:
      - {{id: first, opens: "+2h", due: 30m, automated: {automated("first")}}}
      - {{id: second, automated: {automated("second")}}}
  - id: late
    opens: "-6 working days"
    activities:
      - id: third
        due: "-1 working day"
        manual: {{tasks: [{{id: notes, groups: [qa], due: 4h}}]}}
"""


def dated() -> Release:
    """Start a release without a plan, on Monday at nine: it is planned from then."""
    return start(DATED)


def test_a_phase_and_an_activity_open_at_their_own_time(engine, at):
    release = dated()
    early, first = phase_of(release, "early"), run_of(release, "early/first")
    assert (early.state, early.opens_at, early.held_until) == ("pending", MONDAY + HOUR, MONDAY + HOUR)
    assert early.held_by == {"kind": "opens", "until": (MONDAY + HOUR).isoformat()}
    assert (first.opens_at, first.held_until) == (MONDAY + 2 * HOUR, MONDAY + 2 * HOUR)
    holding.look_at_held(release.pk, now=MONDAY + HOUR)
    assert states(release) == {"early/first": "pending", "early/second": "queued", "late/third": "waiting"}
    holding.look_at_held(release.pk, now=MONDAY + 2 * HOUR)
    first.refresh_from_db()
    assert (first.state, first.due_at) == ("queued", MONDAY + 2 * HOUR + timedelta(minutes=30))


def test_a_moment_that_has_passed_holds_nothing_and_due_never_changes_a_state(engine, at):
    release = dated()
    third = run_of(release, "late/third")
    assert third.state == "waiting"
    assert third.due_at == datetime(2026, 2, 27, 9, tzinfo=UTC), "a working day before Monday is Friday"
    assert third.tasks.get().due_at == MONDAY + 4 * HOUR
    assert phase_of(release, "late").opens_at == datetime(2026, 2, 20, 9, tzinfo=UTC)


def test_a_paused_release_opens_nothing_when_a_moment_comes_but_does_when_it_is_resumed(engine, at, admin):
    release = dated()
    lifecycle.pause(release.pk, actor=admin, now=MONDAY)
    holding.look_at_held(release.pk, now=MONDAY + 2 * HOUR)
    assert states(release)["early/first"] == "pending"
    lifecycle.resume(release.pk, actor=admin, now=MONDAY + 3 * HOUR)
    assert states(release)["early/first"] == "queued"
