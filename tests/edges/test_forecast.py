"""When a release is expected to be over: through the API and in the head of its pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from processes.models import Process
from releases.models import ActivityRun, Release
from tests.builders import run_of
from tests.edges.calls import Caller
from tests.edges.pages import Reader, page_of, plan, publish, start
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db

#: build(compile) ──> look(sign: a task of 20 minutes)
PROCESS = """
kind: Process
id: fore
name: Fore
phases:
  - {id: build, name: Build, owners: [group:qa], activities: [
      {id: compile, automated: {connection: scripted, pipeline: compile}, timeout: 10m}]}
  - {id: look, name: Look, depends_on: [build], owners: [group:qa], activities: [
      {id: sign, name: Sign it, manual: {tasks: [{id: t, name: T, groups: [qa], expected_duration: 20m}]}},
      {id: call, name: Call, depends_on: [sign], manual: {instructions: Call them.}}]}
"""


@pytest.fixture
def process(engine: ScriptedRunner, manager: User) -> Process:
    return publish(PROCESS)


def past(process: Process, manager: User, minutes: int) -> Release:
    """A release that is over and whose activities each took so many minutes."""
    release = start(process, manager, name="Past")
    began = timezone.now() - timedelta(days=1)
    over = began + timedelta(minutes=minutes)
    ActivityRun.objects.filter(release=release).update(
        state="succeeded", opened_at=began, started_at=began, finished_at=over
    )
    Release.objects.filter(pk=release.pk).update(state="succeeded", finished_at=over)
    return release


def test_without_a_past_it_goes_by_what_is_written_and_says_what_it_hangs_on(process: Process, manager: User) -> None:
    release = start(process, manager)
    answer = Caller(manager).get(f"releases/{release.pk}/forecast/")
    assert answer.status == 200
    assert (answer["is_earliest"], answer["is_rough"], answer["unknown"]) == (True, False, ["Call"])
    assert answer["critical"] == ["build/compile", "look/sign", "look/call"]
    steps = {step["path"]: step for step in answer["steps"]}
    assert list(steps) == ["build", "build/compile", "look", "look/sign", "look/call"]
    assert (steps["look/sign"]["length_from"], steps["look/call"]["length_from"]) == ("expected", "unknown")
    assert "Earliest end" in Reader(manager).open(page_of(release))


def test_with_a_past_it_is_the_median_of_it(process: Process, manager: User) -> None:
    for minutes in (10, 30, 500):
        past(process, manager, minutes)
    release = start(process, manager)
    sign = run_of(release, "look/sign")
    answer = Caller(manager).get(f"releases/{release.pk}/forecast/")
    assert answer["is_earliest"] is False
    assert answer["steps"][3]["length_from"] == "history"
    assert sign.opened_at
    expected = sign.opened_at + timedelta(hours=1)
    assert answer["finish_at"].startswith(expected.isoformat()[:19])
    assert "Expected end about" in Reader(manager).open(page_of(release))


def test_before_the_start_it_counts_from_the_plan(process: Process, manager: User) -> None:
    past(process, manager, 30)
    begins = timezone.now().replace(microsecond=0) + timedelta(days=2)
    release = plan(process, manager, planned_start_at=begins, planned_end_at=begins + timedelta(hours=1))
    answer = Caller(manager).get(f"releases/{release.pk}/forecast/")
    assert answer["finish_at"] == (begins + timedelta(minutes=90)).isoformat().replace("+00:00", "Z")
    assert answer["steps"][0]["id"] is None
    bare = plan(process, manager)
    assert Caller(manager).get(f"releases/{bare.pk}/forecast/")["finish_at"] is None


def test_it_says_by_how_much_it_will_be_late(process: Process, manager: User) -> None:
    past(process, manager, 60)
    release = start(process, manager)
    began = release.started_at
    assert began
    Release.objects.filter(pk=release.pk).update(planned_start_at=began, planned_end_at=began + timedelta(minutes=30))
    assert "1h 30m after its plan" in Reader(manager).open(page_of(release))


def test_a_release_that_is_over_was_over_then(process: Process, manager: User) -> None:
    release = past(process, manager, 30)
    release.refresh_from_db()
    assert release.finished_at
    answer = Caller(manager).get(f"releases/{release.pk}/forecast/")
    assert answer["finish_at"] == release.finished_at.isoformat().replace("+00:00", "Z")


def test_the_head_names_owners_roles_and_resources(process: Process, manager: User, owner: User) -> None:
    release = start(process, manager)
    release.roles.create(role="release-lead", user=owner)
    release.bookings.create(what="resource:cart", during=(release.started_at, None))
    text = Reader(manager).open(page_of(release))
    assert "release-lead owner" in text
    assert "Owner: qa" in text
    assert "Touches cart" in text
