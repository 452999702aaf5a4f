"""One release: what its page shows, and the buttons for the whole of it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from activities.models import Connection
from activities.runners import Outcome
from config.models import Event
from releases.models import Artifact, Release
from releases.services import planning
from tests.builders import phase_of, run_of, work
from tests.edges.pages import KINDS, Reader, page_of, panel_of, plan, publish, start
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db


@pytest.fixture
def release(engine: ScriptedRunner, manager: User) -> Release:
    engine.script["check"] = [Outcome("succeeded", outputs={"lag": "3"})]
    return start(publish(KINDS), manager)


def test_the_page_shows_phases_and_activities_with_their_states(release: Release, manager: User) -> None:
    reader = Reader(manager)
    text = reader.open(page_of(release))
    for word in (
        "Spring",
        "Running",
        "Needs input",
        "Database move @1",
        "by manager",
        "1 of 4 activities",
        "Prepare",
        "qa",
    ):
        assert word in text
    for run, word in (("prepare/check", "Succeeded"), ("prepare/runbook", "Waiting"), ("move/cut", "Pending")):
        assert panel_of(run_of(release, run)) in reader.source
        assert word in text


def test_a_release_refreshes_itself_when_it_changes_and_a_running_one_at_times(release: Release, manager: User) -> None:
    reader = Reader(manager)
    reader.open(page_of(release))
    listens = f'data-live="release:{release.pk}"'
    assert listens in reader.source
    assert f'data-live-every="30" hx-get="{page_of(release)}" hx-trigger="live"' in reader.source
    reader.open(page_of(release), HX_Request="true", HX_Target="div#live")
    assert reader.source.lstrip().startswith('<div id="live"')
    reader.send(page_of(release, "do/abort/"), reason="enough")
    assert listens in reader.source
    assert "data-live-every" not in reader.source


def test_a_page_left_open_after_signing_out_reloads_instead_of_showing_a_form(release: Release) -> None:
    reader = Reader()
    reader.open(page_of(release), HX_Request="true", HX_Target="div#live")
    assert (reader.status, reader.headers["HX-Refresh"], reader.source) == (401, "true", "")


def test_only_buttons_that_may_be_pressed_are_drawn(release: Release, manager: User, owner: User) -> None:
    operator, other = Reader(manager), Reader(owner)
    operator.open(page_of(release))
    other.open(page_of(release))
    assert {"pause", "abort", "restart"} <= operator.actions
    assert other.actions == {"sign-out"}


def test_pause_resume_and_abort(release: Release, manager: User) -> None:
    reader = Reader(manager)
    assert "Paused" in reader.send(page_of(release, "do/pause/"))
    assert {"resume", "abort"} <= reader.actions
    reader.send(page_of(release, "do/resume/"))
    assert "Aborted: wrong train" in reader.send(page_of(release, "do/abort/"), reason=" wrong train ")
    assert reader.actions == {"sign-out"}


def test_an_abort_without_a_reason_is_refused_in_place(release: Release, manager: User) -> None:
    reader = Reader(manager)
    assert "A reason is required." in reader.send(page_of(release, "do/abort/"), reason="  ")
    assert reader.status == 400
    assert 'id="ask-abort" open' in reader.source
    release.refresh_from_db()
    assert release.state == "running"


def test_what_came_too_late_is_said_in_place(release: Release, manager: User) -> None:
    reader = Reader(manager)
    assert "The release is running." in reader.send(page_of(release, "do/resume/"))
    assert reader.status == 409


def test_a_button_that_is_not_theirs_changes_nothing(release: Release, owner: User) -> None:
    reader = Reader(owner)
    assert "You need the permission to operate" in reader.send(page_of(release, "do/pause/"))
    assert reader.status == 403
    release.refresh_from_db()
    assert release.state == "running"


def test_an_address_of_a_verb_that_is_only_looked_at_leads_to_the_page(release: Release, manager: User) -> None:
    reader = Reader(manager)
    reader.open(page_of(release, "do/abort/"))
    assert (reader.status, reader.headers["Location"]) == (302, page_of(release))
    reader.send(page_of(release, "do/explode/"))
    assert reader.status == 404


def test_a_phase_is_run_once_more(release: Release, manager: User, owner: User) -> None:
    phase = phase_of(release, "prepare")
    address = page_of(release, f"phases/{phase.pk}/restart/")
    other = Reader(owner)
    assert "You need the permission to operate" in other.send(address)
    Reader(manager).send(address, reason="again", once="x")
    work(release)
    assert run_of(release, "prepare/check").attempt == 2
    missing = Reader(manager)
    missing.send(page_of(release, "phases/999999/restart/"))
    assert missing.status == 404


def test_values_tell_their_source_before_and_after_the_start(release: Release, manager: User) -> None:
    text = Reader(manager).open(page_of(release, "values/"))
    for word in ("pinned at its start", "1.0 input set", "eu default", "What is moved"):
        assert word in text
    draft = plan(release.process, manager)
    assert "as they would be if it started now" in Reader(manager).open(page_of(draft, "values/"))


def test_outputs_show_what_was_made_or_that_there_is_nothing_yet(release: Release, manager: User) -> None:
    assert "Nothing yet" in Reader(manager).open(page_of(release, "outputs/"))
    Release.objects.filter(pk=release.pk).update(outputs={"lag": 3})
    assert "lag 3" in Reader(manager).open(page_of(release, "outputs/"))
    Artifact.objects.create(release=release, name="image", at=timezone.now())
    reader = Reader(manager)
    assert "1 artifact" in reader.open(page_of(release, "outputs/"))
    assert f'href="{page_of(release, "changes/")}">1 artifact' in reader.source


def test_the_trail_tells_every_change_page_by_page(release: Release, manager: User) -> None:
    reader = Reader(manager)
    text = reader.open(page_of(release, "events/"))
    for word in (
        "Release created",
        "Release started",
        "Phase Prepare started prepare",
        "Check succeeded prepare/check",
        "pilothouse",
    ):
        assert word in text
    for _ in range(60):
        Event.objects.create(
            at=timezone.now(), actor_name="x", verb="release.noted", subject_type="release", release_id=release.pk
        )
    reader.open(page_of(release, "events/"))
    assert ("Older events" in reader.text, "Release created" in reader.text) == (True, False)
    before = reader.source.partition("?before=")[2].partition('"')[0]
    assert "Release created" in reader.open(page_of(release, f"events/?before={before}"))


def test_a_draft_says_what_to_do_next(release: Release, manager: User) -> None:
    draft = plan(release.process, manager, planned_start_at=timezone.now())
    reader = Reader(manager)
    assert "It is a draft until manager schedules or starts it." in reader.open(page_of(draft))
    assert page_of(draft, "start/") in reader.source
    assert "Scheduled" in reader.send(page_of(draft, "do/schedule/"))
    assert "Cancelled: not now" in reader.send(page_of(draft, "do/cancel/"), reason="not now")
    planning.schedule_release(manager, draft, now=timezone.now())


def test_the_page_names_whoever_waits_for_the_release(release: Release, manager: User, owner: User) -> None:
    assert "Waited for by" not in Reader(manager).open(page_of(release))
    other = start(release.process, manager)
    now = timezone.now()
    Connection.objects.create(slug="here", name="Here", provider="pilothouse")
    elsewhere = {"url": "https://pilothouse.example"}
    Connection.objects.create(slug="there", name="There", provider="pilothouse", settings=elsewhere)
    for number, slug in ((2, "here"), (3, "there")):
        values = {"reference": str(release.pk), "connection": slug, "follow_at": now, "started_at": now}
        run_of(other, "prepare/check").attempts.create(number=number, **values)
    page = Reader(manager).open(page_of(release))
    assert page.count("Waited for by") == 1
    assert page.count(f"{run_of(other, 'prepare/check').name} in ") == 1
