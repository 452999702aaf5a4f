"""Why an activity waits: moments, freezes, retries, signals and people; and the earliest it may start."""

from __future__ import annotations

from datetime import timedelta

import pytest

from releases.execution import attempts
from releases.models import ActivityRun, PhaseRun, Release
from releases.reading import run_blocked
from releases.services import answering, planning
from tests import fakes
from tests.blocked import auto, by_hand, drawn, phase, phases, why
from tests.builders import MONDAY, phase_of, run_of, start
from tests.crowd import member

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


# The clock ------------------------------------------------------------------------------------------------------------
def held(release: Release, path: str, **columns: object) -> None:
    changed = ActivityRun.objects.filter(release=release, path=path).update(**columns)
    changed += PhaseRun.objects.filter(release=release, path=path).update(**columns)
    assert changed == 1


def gated() -> Release:
    """Return a release of two phases with an activity each: p(a) ──> q(b)."""
    return start(phases(phase("p", by_hand("a")), phase("q", by_hand("b"), more="depends_on: [p]")))


def test_what_opens_later_says_when_even_while_something_else_is_in_its_way():
    release = gated()
    held(release, "q", opens_at=MONDAY + 3 * HOUR)
    found = run_blocked(phase_of(release, "q"), now=MONDAY)
    assert drawn(found.links) == [("dependency p", ["done p/a"]), "opens q"]
    assert found.links[1].until == MONDAY + 3 * HOUR
    assert [link.kind for link in run_blocked(phase_of(release, "q"), now=MONDAY + 4 * HOUR).links] == ["dependency"]


def test_a_freeze_says_which_it_is_and_when_it_ends():
    release = gated()
    until = MONDAY + 2 * HOUR
    freeze = {"kind": "freeze", "freeze": "year-end", "name": "Year end", "until": until.isoformat()}
    held(release, "q/b", state="pending", held_by=freeze, held_until=until)
    held(release, "q", state="running", started_at=MONDAY)
    held(release, "p", state="skipped", finished_at=MONDAY)
    found = why(release, "q/b")
    assert [(link.kind, link.subject, link.until) for link in found.links] == [("freeze", "freeze:year-end", until)]
    assert found.links[0].words == "The freeze Year end lets nothing here start."
    assert (found.earliest_at, found.hangs_on) == (until, "")
    assert drawn(why(release, "q/b", after=3 * HOUR).links) == ["opening q/b"]


def test_a_freeze_without_an_end_leaves_the_earliest_start_open():
    release = gated()
    freeze = {"kind": "freeze", "freeze": "stop", "name": "Stop the line", "until": None}
    held(release, "q/b", held_by=freeze, held_until=MONDAY + HOUR)
    found = why(release, "q/b")
    assert found.links[1].words == "The freeze Stop the line lets nothing here start until it is lifted."
    assert found.links[1].until is None
    assert found.earliest_at is None
    assert "the freeze Stop the line, which has no end" in found.hangs_on


def test_the_earliest_start_adds_up_lengths_that_are_known():
    # soak (2h) ──> rest (30m) ──> b, which opens after 1h
    wait = "{id: soak, wait: 2h}", "{id: rest, wait: 30m, depends_on: [soak]}", by_hand("b", "depends_on: [rest]")
    release = start(phases(phase("p", *wait)))
    assert why(release, "p/b").earliest_at == MONDAY + timedelta(hours=2, minutes=30)
    held(release, "p/b", opens_at=MONDAY + timedelta(hours=1))
    assert why(release, "p/b", after=HOUR).earliest_at == MONDAY + timedelta(hours=2, minutes=30)
    held(release, "p/b", opens_at=MONDAY + timedelta(hours=9))
    assert why(release, "p/b").earliest_at == MONDAY + timedelta(hours=9)


def test_the_earliest_start_of_one_of_several_needs_is_the_first_that_is_known():
    # soak (2h) ──> b <── ask     (needs: any)
    both = "{id: soak, wait: 2h}", by_hand("ask"), by_hand("b", "depends_on: [soak, ask]", "needs: any")
    assert why(start(phases(phase("p", *both))), "p/b").earliest_at == MONDAY + 2 * HOUR


def test_a_retry_says_when_it_is_and_a_queued_activity_that_a_worker_takes_it(engine):
    engine.script["a"] = [fakes.failed()]
    release = start(phases(phase("p", auto("a", "retry: {attempts: 3, delay: 10m}"), auto("b"))))
    run = run_of(release, "p/a")
    attempts.carry_out(release.pk, run.pk, 1)
    failed_at = run.attempts.get().finished_at
    assert failed_at is not None
    run.refresh_from_db()
    run.release = release
    assert run.state == "queued"
    found = run_blocked(run, now=failed_at)
    assert [(link.kind, link.until) for link in found.links] == [("retry", failed_at + timedelta(minutes=10))]
    assert found.earliest_at == failed_at + timedelta(minutes=10)
    assert drawn(run_blocked(run, now=failed_at + HOUR).links) == ["queued p/a"]
    assert drawn(why(release, "p/b").links) == ["queued p/b"]


def test_signals_and_waits_say_what_they_wait_for():
    release = start(phases(phase("p", "{id: hook, signal: {}}", "{id: soak, wait: 2h}")))
    assert drawn(why(release, "p/hook").links) == ["signal p/hook"]
    assert why(release, "p/hook").links[0].who == ("group:qa",)
    assert [(link.kind, link.until) for link in why(release, "p/soak").links] == [("wait", MONDAY + 2 * HOUR)]


# People ---------------------------------------------------------------------------------------------------------------
def test_a_manual_activity_names_every_part_that_is_missing(author):
    parts = (
        "tasks: [{id: t, name: Read, groups: [security]}, {id: o, name: Maybe, required: false}], "
        "form: {notes: {type: text, required: true}}, evidence: {required: 2}, "
        "approval: {rules: [{group: qa, count: 2}]}"
    )
    release = start(phases(phase("p", by_hand("a", does=parts))))
    links = why(release, "p/a").links
    assert [(link.kind, link.subject) for link in links] == [
        ("task", "task:t"),
        ("form", ""),
        ("sign_off", "rule:0"),
        ("evidence", ""),
    ]
    assert [link.who for link in links[:2]] == [("group:security",), ("group:qa", "group:security")]
    ann = member("ann", "security")
    answering.set_task(ann, run_of(release, "p/a"), "t", done=True, now=MONDAY)
    assert [link.kind for link in why(release, "p/a").links] == ["form", "sign_off", "evidence"]


def test_a_sign_off_counts_who_has_signed_and_names_who_still_may():
    ann, ben, eve = member("ann", "qa"), member("ben", "qa"), member("eve", "qa")
    member("old", "qa", active=False)
    release = start(phases(phase("p", by_hand("a", does="approval: {rules: [{group: qa, count: 2}]}"))), by=eve)
    link = why(release, "p/a").links[0]
    assert link.words == "Sign-off 1 of 2 by qa is missing; ann or ben may sign."
    assert (link.kind, link.who) == ("sign_off", ("group:qa",))
    answering.sign_off(ann, run_of(release, "p/a"), decision="approved", now=MONDAY)
    assert why(release, "p/a").links[0].words == "Sign-off 2 of 2 by qa is missing; ben may sign."
    ben.groups.clear()
    assert why(release, "p/a").links[0].words == "Sign-off 2 of 2 by qa is missing; nobody is left who may sign."


def test_a_role_that_nobody_fills_stands_behind_what_is_asked_of_it(manager):
    text = phases(
        "{id: p, owners: ['role:lead'], activities: [{id: a, manual: {instructions: Look.}}]}",
        more="roles: {lead: {group: qa}}",
    )
    release = start(text)
    links = why(release, "p/a").links
    assert drawn(links) == [("done p/a", ["role_unfilled role:lead"])]
    assert links[0].links[0].words.startswith("Nobody fills the role lead: whoever plans the release can name somebody")
    planning.fill_role(manager, release, role="lead", user=member("ann", "qa"), now=MONDAY)
    assert drawn(why(release, "p/a").links) == ["done p/a"]
