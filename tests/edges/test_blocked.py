"""Why something waits, through the API, the pages and the command; and what is due on them."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from releases.models import ActivityRun, PhaseRun, Release
from tests.builders import run_of
from tests.edges.calls import Caller
from tests.edges.pages import KINDS, Reader, page_of, panel_of, plan, publish, start
from tests.fakes import ScriptedRunner, failed

pytestmark = pytest.mark.django_db


@pytest.fixture
def release(engine: ScriptedRunner, manager: User) -> Release:
    """A release whose check is on hold, whose runbook waits for qa and whose cut waits for a signal."""
    engine.script["check"] = [failed()]
    return start(publish(KINDS), manager)


def flat(links: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for link in links for one in (link, *flat(link["links"]))]


# The API --------------------------------------------------------------------------------------------------------------
def test_a_release_answers_with_everything_idle_in_it(release: Release, owner: User) -> None:
    answer = Caller(owner).get(f"releases/{release.pk}/blocked/")
    assert (answer.status, answer["state"]) == (200, "running")
    assert [link["kind"] for link in answer["links"]][:2] == ["on_hold", "task"]
    runs = {run["path"]: run for run in answer["runs"]}
    assert list(runs) == ["prepare/check", "prepare/runbook", "move/vendor", "move/cut"]
    assert {link["kind"] for link in runs["prepare/runbook"]["links"]} == {"task", "form", "sign_off", "evidence"}
    (cut,) = runs["move/cut"]["links"]
    assert (cut["kind"], cut["path"], cut["who"]) == ("dependency", "move/vendor", ["group:qa"])
    assert [link["kind"] for link in cut["links"]] == ["signal"]
    assert (runs["move/cut"]["earliest_at"], runs["move/cut"]["hangs_on"]) == (
        None,
        "It hangs on move/vendor (signal, waiting).",
    )


def test_an_activity_and_a_phase_answer_for_themselves(release: Release, owner: User) -> None:
    caller, cut = Caller(owner), run_of(release, "move/cut")
    answer = caller.get(f"activity-runs/{cut.pk}/blocked/")
    assert (answer.status, answer["path"], answer["kind"]) == (200, "move/cut", "automated")
    assert [link["kind"] for link in flat(answer["links"])] == ["dependency", "signal"]
    phase = caller.get(f"phase-runs/{cut.phase_id}/blocked/")
    assert [link["kind"] for link in phase["links"]] == ["signal"]
    assert (phase["kind"], phase["state"]) == ("phase", "running")


def test_a_stranger_is_told_nothing(release: Release, stranger: User) -> None:
    caller, run = Caller(stranger), run_of(release, "move/cut")
    for address in (f"releases/{release.pk}", f"activity-runs/{run.pk}", f"phase-runs/{run.phase_id}"):
        assert caller.get(f"{address}/blocked/").status == 404
    with pytest.raises(CommandError, match="no such release"):
        call_command("why", str(release.pk), "--as", "stranger")


def test_what_is_due_is_in_every_answer(release: Release, owner: User) -> None:
    past = timezone.now() - timedelta(hours=1)
    run = run_of(release, "prepare/runbook")
    ActivityRun.objects.filter(pk=run.pk).update(due_at=past)
    PhaseRun.objects.filter(pk=run.phase_id).update(due_at=past, opens_at=past)
    run.tasks.update(due_at=past)
    caller = Caller(owner)
    first = caller.get(f"releases/{release.pk}/tree/")["phases"][0]
    assert (first["overdue"], [one["overdue"] for one in first["activities"]]) == (True, [False, True])
    detail, phase = caller.get(f"activity-runs/{run.pk}/"), caller.get(f"phase-runs/{run.phase_id}/")
    assert [detail["overdue"], detail["tasks"][0]["overdue"], phase["overdue"]] == [True] * 3
    assert phase["opens_at"] == phase["due_at"] == detail["due_at"] == detail["tasks"][0]["due_at"]
    assert [(one["path"], one["overdue"]) for one in caller.get("me/")["waiting"]] == [
        ("prepare/check", True),
        ("prepare/runbook", True),
    ]


# Pages ----------------------------------------------------------------------------------------------------------------
def test_the_panel_says_why_an_activity_waits(release: Release, owner: User) -> None:
    reader = Reader(owner)
    text = reader.open(panel_of(run_of(release, "move/cut")))
    assert "Why it waits It needs move/vendor, which is waiting." in text
    assert "Earliest start: not known. It hangs on move/vendor (signal, waiting)." in text
    assert "Why it waits" in reader.open(panel_of(run_of(release, "prepare/check")))
    ActivityRun.objects.filter(path="prepare/check").update(state="skipped", finished_at=timezone.now())
    assert "Why it waits" not in reader.open(panel_of(run_of(release, "prepare/check")))


def test_pages_mark_what_is_overdue(release: Release, owner: User) -> None:
    run = run_of(release, "prepare/runbook")
    ActivityRun.objects.filter(pk=run.pk).update(due_at=timezone.now() - timedelta(days=1))
    run.tasks.update(due_at=timezone.now() + timedelta(days=1))
    reader = Reader(owner)
    for address in ("/", page_of(release), panel_of(run)):
        assert "Overdue since" in reader.open(address)
    assert " Due " in reader.text
    ActivityRun.objects.filter(pk=run.pk).update(due_at=timezone.now() + timedelta(days=1))
    assert "Overdue" not in reader.open(page_of(release))


def test_the_page_of_a_release_that_has_not_started_says_why(manager: User) -> None:
    release = plan(publish(KINDS), manager)
    text = Reader(manager).open(page_of(release))
    assert "It is a draft until manager schedules or starts it." in text
    later = timezone.now() + timedelta(days=2)
    Release.objects.update(state="scheduled", planned_start_at=later)
    text = Reader(manager).open(page_of(release))
    assert "Its planned start has not come. Until" in text
    assert "Earliest start:" in text
    Release.objects.update(state="cancelled", reason="No need")
    assert "Why it does not start It was cancelled: No need. Schedule it again" in Reader(manager).open(
        page_of(release)
    )


# The command ----------------------------------------------------------------------------------------------------------
def told(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("why", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_the_command_tells_the_chain_of_one_activity_or_of_all(release: Release) -> None:
    assert told(str(release.pk), "move/cut") == [
        "move/cut: pending. It hangs on move/vendor (signal, waiting).",
        "  dependency: It needs move/vendor, which is waiting. [group:qa]",
        "    signal: It waits for a signal from outside. [group:qa]",
    ]
    everything = told(str(release.pk))
    assert everything[0] == f"Release {release.pk}: running"
    assert "  task: prepare/runbook: The task “Look at it” is not done. [group:qa]" in everything
    assert "prepare/check: on hold" in everything


def test_the_command_refuses_what_is_not_there(release: Release) -> None:
    with pytest.raises(CommandError, match="no phase or activity 'move/none'"):
        call_command("why", str(release.pk), "move/none")
    with pytest.raises(CommandError, match="There is no such release"):
        call_command("why", "999999")
