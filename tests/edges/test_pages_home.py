"""Home: what waits for its reader and is done in place, what is under way, what comes, what has just finished."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from activities.runners import Outcome
from config.models import Event
from releases.models import ActivityRun, Release, SignOff
from releases.services import running
from tests.builders import run_of
from tests.edges.pages import KINDS, Reader, panel_of, publish, start
from tests.fakes import ScriptedRunner, failed

pytestmark = pytest.mark.django_db

#: go(yes: a plain sign-off, sure: another, more: a sign-off with a form, walk: tasks, say: nothing but to be done)
ASKS = """
kind: Process
id: asks
name: Asks
phases:
  - id: go
    name: Go
    owners: [group:qa]
    activities:
      - {id: yes-please, name: Go ahead, manual: {approval: {rules: [{group: qa}], four_eyes: false}}}
      - {id: sure, name: Are you sure, manual: {approval: {rules: [{group: qa}], four_eyes: false}}}
      - id: more
        name: More
        manual: {form: {why: {type: string}}, approval: {rules: [{group: qa}], four_eyes: false}}
      - id: walk
        name: Walk
        manual: {tasks: [{id: one, name: First, groups: [qa]}, {id: two, name: Other, groups: [dev]}]}
      - {id: say, name: Say so, manual: {instructions: Say it}}
"""


@pytest.fixture
def release(engine: ScriptedRunner, manager: User) -> Release:
    return start(publish(ASKS), manager)


def test_what_waits_for_an_owner_stands_first(manager: User, owner: User, engine: ScriptedRunner) -> None:
    engine.script["check"] = [failed()]
    release = start(publish(KINDS), manager)
    reader = Reader(owner)
    text = reader.open("/")
    for word in (
        "Waits for you 2",
        "Failed: decide what happens",
        "Do a task",
        "Fill in a form",
        "Sign off",
        "Add evidence",
    ):
        assert word in text
    assert panel_of(run_of(release, "prepare/check")) in reader.source
    assert "Nothing waits for you" in Reader(manager).open("/")
    running.abort_release(manager, release, now=timezone.now(), reason="no more")
    assert "Nothing waits for you" in reader.open("/")


def home(user: User) -> Reader:
    reader = Reader(user)
    reader.open("/")
    return reader


def do(reader: Reader, release: Release, path: str, verb: str, **data: str) -> str:
    return reader.send(panel_of(run_of(release, f"go/{path}"), verb), back="home", **data)


def test_without_anything_home_says_what_to_do_next(manager: User, stranger: User) -> None:
    assert "Ask a release manager" in home(stranger).text
    publish(KINDS)
    assert "Create the first one" in home(manager).text


def test_a_plain_sign_off_is_given_in_place(release: Release, owner: User) -> None:
    reader = home(owner)
    assert "Waits for you 5" in reader.text
    assert f'action="{panel_of(run_of(release, "go/yes-please"), "sign")}"' in reader.source
    text = do(reader, release, "yes-please", "sign", decision="approved")
    assert (reader.location, "Approved: Go ahead of Spring 1.2.3" in text, "Waits for you 4" in text) == (
        "/",
        True,
        True,
    )
    assert run_of(release, "go/yes-please").state == "succeeded"


def test_a_rejection_needs_its_reason_and_is_asked_for_it_where_it_is_shown(release: Release, owner: User) -> None:
    reader = home(owner)
    assert "A rejection needs a reason" in do(reader, release, "sure", "sign", decision="rejected")
    assert (reader.status, reader.location) == (400, "")
    assert "Rejected: Are you sure" in do(reader, release, "sure", "sign", decision="rejected", comment="No")
    assert run_of(release, "go/sure").state == "on_hold"


def test_what_asks_for_more_than_a_signature_is_opened_instead(release: Release, owner: User) -> None:
    reader = home(owner)
    more = run_of(release, "go/more")
    assert panel_of(more, "sign") not in reader.source
    assert panel_of(more) in reader.source


def test_own_tasks_are_ticked_and_what_is_done_is_said_in_place(release: Release, owner: User) -> None:
    reader = home(owner)
    assert ("First" in reader.text, "Other" in reader.text) == (True, False)
    assert "Task done: Walk" in do(reader, release, "walk", "task", task="one")
    assert "Done: Say so" in do(reader, release, "say", "complete")
    assert "Say so" not in home(owner).text


def test_a_failure_on_hold_is_tried_again_or_ignored_with_a_reason(
    engine: ScriptedRunner, manager: User, owner: User
) -> None:
    engine.script["check"] = [failed()]
    run = run_of(start(publish(KINDS), manager), "prepare/check")
    reader = home(owner)
    assert run.error in reader.text
    assert "reason" in reader.send(panel_of(run, "ignore"), back="home").lower()
    assert reader.status == 400
    assert "Trying again: Check of Spring" in reader.send(panel_of(run, "retry"), back="home")
    run.refresh_from_db()
    assert run.state == "queued"


def test_several_sign_offs_at_once_each_have_their_own_outcome(release: Release, owner: User) -> None:
    names = ("yes-please", "sure", "more")
    runs = [run_of(release, f"go/{name}") for name in names]
    text = home(owner).send("/home/do/", verb="approve", run=[*(str(run.pk) for run in runs), "nonsense", "9" * 30])
    assert "Approved Go ahead of Spring 1.2.3, Are you sure of Spring 1.2.3." in text
    assert "More of Spring 1.2.3: It asks for more than a signature" in text
    assert [run_of(release, f"go/{name}").state for name in names] == ["succeeded", "succeeded", "waiting"]
    again = home(owner).send("/home/do/", verb="approve", run=[str(runs[0].pk)])
    assert "does not wait for you" in again
    assert SignOff.objects.count() == 2


def test_several_failures_are_tried_again_at_once(engine: ScriptedRunner, manager: User, owner: User) -> None:
    engine.script["check"] = [failed(), failed()]
    process = publish(KINDS)
    runs = [run_of(start(process, manager), "prepare/check") for _ in range(2)]
    reader = home(owner)
    assert "Retry chosen" in reader.text
    assert "Trying again: Check of Spring" in reader.send("/home/do/", verb="retry", run=[run.pk for run in runs])
    assert {run.state for run in ActivityRun.objects.filter(path="prepare/check")} == {"queued"}
    reader.send("/home/do/", verb="abort", run=[runs[0].pk])
    assert reader.status == 404


def test_of_very_much_that_waits_the_most_urgent_is_shown_first(
    engine: ScriptedRunner, manager: User, owner: User
) -> None:
    process = publish(ASKS)
    for _ in range(5):
        start(process, manager)
    reader = home(owner)
    assert ("Waits for you 25" in reader.text, "5 more" in reader.text) == (True, True)
    assert reader.source.count('id="waits-') == 20
    assert ("5 more" in reader.open("/?all=1"), reader.source.count('id="waits-')) == (False, 25)


def test_nobody_acts_at_once_on_what_they_may_not_see_or_decide(
    release: Release, manager: User, stranger: User
) -> None:
    run, told = run_of(release, "go/yes-please"), Event.objects.count()
    assert "no longer there" in home(stranger).send("/home/do/", verb="approve", run=[run.pk])
    assert "Only qa may sign" in home(manager).send("/home/do/", verb="approve", run=[run.pk])
    assert Event.objects.count() == told


def test_a_stranger_s_home_tells_nothing(release: Release, stranger: User) -> None:
    reader = home(stranger)
    assert "Spring" not in reader.text
    assert reader.open("/home/waiting/").strip() == ""


def test_the_link_to_home_says_how_much_waits_wherever_one_is(release: Release, owner: User) -> None:
    reader = Reader(owner)
    assert 'hx-get="/home/waiting/"' in (reader.open("/groups/"), reader.source)[1]
    assert reader.open("/home/waiting/").split()[0] == "5"
    assert re.search(r"Home\s+5", reader.open("/"))


def test_what_is_under_way_comes_with_the_worst_first(engine: ScriptedRunner, manager: User) -> None:
    process = publish(KINDS)
    engine.script["check"] = [failed()]
    start(process, manager, name="Held")
    engine.script["check"] = [Outcome("succeeded")]
    start(process, manager, name="Fine")
    text = home(manager).text
    assert text.index("Held") < text.index("Fine")
    assert ("On hold" in text, "Needs input" in text, "0 of 4" in text, "1 of 4" in text) == (True,) * 4


def scheduled(process: Any, name: str, hours: float, **more: Any) -> Release:
    return Release.objects.create(
        process=process,
        name=name,
        state="scheduled",
        created_at=timezone.now(),
        planned_start_at=timezone.now() + timedelta(hours=hours),
        **more,
    )


def test_the_next_days_say_what_will_not_start_and_why(manager: User) -> None:
    process = publish(KINDS)
    stops = {"code": "inputs", "stops": True, "message": "'version' has no value.", "cure": "", "path": "", "who": []}
    note = {**stops, "stops": False, "message": "Just a note."}
    scheduled(process, "Late", -1, findings=[stops])
    scheduled(process, "Soon", 30, findings=[stops, {**stops, "message": "Frozen too."}, note])
    scheduled(process, "Clear", 60)
    scheduled(process, "Far", 24 * 8)
    text = home(manager).text
    order = [text.index(word) for word in ("Should have started", "Late", "Does not start:", "Soon", "Will not start:")]
    assert order == sorted(order)
    assert ("'version' has no value." in text, "1 more" in text, "Frozen too." in text) == (True, True, True)
    assert ("Just a note" in text, "Clear" in text, "Far" in text) == (False, True, False)


def test_days_are_the_reader_s(manager: User) -> None:
    release = scheduled(publish(KINDS), "Soon", 48)
    at = release.planned_start_at
    assert at is not None
    Release.objects.update(planned_start_at=at.replace(hour=20, minute=30))
    reader = Reader(manager)
    reader.client.cookies["zone"] = "Asia/Tokyo"
    text = reader.open("/")
    assert "05:30 JST" in text
    assert f"{(at + timedelta(days=1)).day} {at + timedelta(days=1):%B}" in text


def test_what_has_just_finished_is_told_for_a_day(manager: User) -> None:
    process, now = publish(KINDS), timezone.now()
    for name, hours in (("Fresh", 1), ("Stale", 30)):
        at = now - timedelta(hours=hours)
        Release.objects.create(process=process, name=name, state="failed", created_at=at, started_at=at, finished_at=at)
    text = home(manager).text
    assert ("Fresh" in text, "Failed" in text, "Stale" in text) == (True, True, False)
    assert "Nothing waits for you" in text


def test_only_what_refreshes_itself_comes_when_it_is_asked_for_alone(release: Release, owner: User) -> None:
    reader = Reader(owner)
    reader.open("/", HX_Target="div#home")
    assert reader.source.lstrip().startswith('<div id="home"')
    assert 'data-live="releases"' in reader.source


def test_names_of_others_are_shown_as_they_are_and_never_run(release: Release, owner: User, manager: User) -> None:
    nasty = "<img src=x onerror=alert(1)>" + "w" * 150
    Release.objects.update(name=nasty)
    ActivityRun.objects.update(name=nasty, error=nasty)
    reader = home(owner)
    assert nasty in reader.text
    assert "<img" not in reader.source
    assert nasty[:40] in reader.send("/home/do/", verb="approve", run=[run_of(release, "go/sure").pk])
    assert "<img" not in reader.source
