"""What is due orders and marks what people see, and changes no state."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User

from releases.inbox import waiting_for
from releases.models import ActivityRun, PhaseRun, TaskRun
from releases.reading import activity_detail, phase_detail, release_tree
from releases.services import answering
from tests.builders import MONDAY, phase_of, run_of, start, states
from tests.crowd import member

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
# p: four activities that wait for qa, each with a task
TASKS = "manual: {tasks: [{id: t, name: T, groups: [qa]}, {id: other, name: O, groups: [ops]}]}"
PROCESS = f"""
id: process
phases:
  - id: p
    owners: [group:qa]
    activities: [{", ".join(f"{{id: {name}, {TASKS}}}" for name in "abcd")}]
"""


def onlooker(name: str, *groups: str) -> User:
    """Return somebody in these groups who may see every release."""
    person = member(name, *groups)
    person.user_permissions.add(Permission.objects.get(codename="view_release"))
    return person


def test_the_inbox_begins_with_what_is_overdue_then_what_is_due_next_then_the_oldest():
    release, ann = start(PROCESS), onlooker("ann", "qa")
    ActivityRun.objects.filter(path="p/c").update(due_at=MONDAY + HOUR)
    TaskRun.objects.filter(activity_run__path="p/d", slug="t").update(due_at=MONDAY - HOUR)
    TaskRun.objects.filter(activity_run__path="p/a", slug="other").update(due_at=MONDAY - 2 * HOUR)
    ActivityRun.objects.filter(path="p/b").update(opened_at=MONDAY - HOUR, started_at=MONDAY - HOUR)
    found = waiting_for(ann, now=MONDAY)
    assert [(one.run.path, one.due_at, one.overdue) for one in found] == [
        ("p/d", MONDAY - HOUR, True),
        ("p/c", MONDAY + HOUR, False),
        ("p/b", None, False),
        ("p/a", None, False),
    ]
    assert {one.run.path for one in waiting_for(ann, release=release, most=3, now=MONDAY)} == {"p/a", "p/c", "p/d"}


def test_a_phase_s_due_is_that_of_what_waits_in_it():
    start(PROCESS)
    PhaseRun.objects.update(due_at=MONDAY)
    found = waiting_for(onlooker("ann", "qa"), now=MONDAY + HOUR)
    assert {(one.due_at, one.overdue) for one in found} == {(MONDAY, True)}


def test_what_is_past_its_due_is_overdue_until_it_has_settled_and_stays_as_it_is():
    release, ann = start(PROCESS), member("ann", "qa", "ops")
    ActivityRun.objects.filter(path="p/a").update(due_at=MONDAY, opens_at=MONDAY - HOUR)
    PhaseRun.objects.update(due_at=MONDAY)
    TaskRun.objects.filter(activity_run__path="p/a").update(due_at=MONDAY)
    (phase,) = release_tree(release, now=MONDAY + HOUR)
    assert (phase.overdue, [one.overdue for one in phase.activities]) == (True, [True, False, False, False])
    assert not release_tree(release, now=MONDAY)[0].overdue
    detail = activity_detail(run_of(release, "p/a"), ann)
    assert (detail.due_at, detail.opens_at, detail.overdue) == (MONDAY, MONDAY - HOUR, True)
    assert [(task.due_at, task.overdue) for task in detail.tasks] == [(MONDAY, True), (MONDAY, True)]
    assert phase_detail(phase_of(release, "p"), ann).overdue
    assert set(states(release).values()) == {"waiting"}
    for task in ("t", "other"):
        answering.set_task(ann, run_of(release, "p/a"), task, done=True, now=MONDAY + HOUR)
    detail = activity_detail(run_of(release, "p/a"), ann)
    assert (detail.state, detail.overdue, [task.overdue for task in detail.tasks]) == ("succeeded", False, [False] * 2)
    assert not release_tree(release, now=MONDAY + HOUR)[0].activities[0].overdue
