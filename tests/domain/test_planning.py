"""The plan of a release before it starts: making, editing, scheduling, calling off, filling its roles."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config.errors import Conflict, InvalidInput
from config.models import Event
from processes.models import InputSet, Process
from processes.services import apply
from releases.models import Release
from releases.services import planning, running, starting
from tests.builders import MONDAY
from tests.crowd import member

pytestmark = pytest.mark.django_db

LATER = MONDAY + timedelta(hours=1)
AT_START = {"version": "9"}
DOCUMENT = """
kind: Process
id: shop
name: Shop
roles: {lead: {group: release-managers}}
inputs: {version: {type: string, required: true}}
phases:
  - {id: plan, name: Plan, owners: ["role:lead"], activities: [{id: agree, manual: {instructions: Look.}}]}
"""


@pytest.fixture
def shop(groups):
    apply(None, DOCUMENT, now=MONDAY, publish=True)
    return Process.objects.get()


def draft(shop, manager, **more):
    return planning.create_release(manager, process=shop, name="Spring", version="1", now=MONDAY, **more)


def test_a_plan_tells_all_its_faults_at_once(shop, manager):
    other = Process.objects.create(slug="other", name="Other")
    odd = InputSet.objects.create(process=other, slug="odd", name="Odd")
    with pytest.raises(InvalidInput) as caught:
        planning.create_release(
            manager,
            process=shop,
            name="  ",
            version="v" * 101,
            now=MONDAY,
            input_set=odd,
            given={"inputs": 3},
            planned_start_at=LATER,
            planned_end_at=MONDAY,
        )
    assert sorted(fault.path for fault in caught.value.faults) == [
        "given.inputs",
        "input_set",
        "name",
        "planned_end_at",
        "version",
    ]


def test_an_edit_names_what_cannot_be_changed_and_what_somebody_else_changed(shop, manager):
    release = draft(shop, manager)
    with pytest.raises(InvalidInput) as caught:
        planning.edit_release(manager, release, {"state": "succeeded", "colour": "red", "name": "x"}, now=MONDAY)
    assert [fault.path for fault in caught.value.faults] == ["state", "colour"]
    planning.edit_release(manager, release, {"name": "Summer"}, now=MONDAY, expected=1)
    with pytest.raises(Conflict, match="changed this release meanwhile"):
        planning.edit_release(manager, release, {"name": "Autumn"}, now=MONDAY, expected=1)
    told = Event.objects.get(verb="release.edited")
    assert (told.before, told.after) == ({"name": "Spring"}, {"name": "Summer"})


def test_a_release_is_scheduled_called_off_and_scheduled_again(shop, manager):
    release = draft(shop, manager)
    stale = Release.objects.get(pk=release.pk)
    with pytest.raises(InvalidInput, match="needs a planned start"):
        planning.schedule_release(manager, release, now=MONDAY)
    planning.edit_release(manager, release, {"planned_start_at": LATER}, now=MONDAY)
    planning.schedule_release(manager, stale, now=MONDAY)
    with pytest.raises(InvalidInput, match="needs a planned start"):
        planning.edit_release(manager, release, {"planned_start_at": None}, now=MONDAY)
    assert planning.cancel_release(manager, release, reason="holiday", now=MONDAY).reason == "holiday"
    with pytest.raises(Conflict, match="cancelled; only a draft or scheduled one starts"):
        starting.start_release(manager, release, now=MONDAY, given={"inputs": AT_START})
    assert planning.schedule_release(manager, release, now=MONDAY).state == "scheduled"
    starting.start_release(manager, release, now=MONDAY, given={"inputs": AT_START})
    assert release.state == "running"


def test_a_role_is_filled_with_an_active_person_of_its_group(shop, manager, owner):
    release = draft(shop, manager, given={"inputs": AT_START})
    gone = member("gone", "release-managers", active=False)
    for role, person, words in (
        ("boss", manager, "no role 'boss'. Its roles are lead"),
        ("lead", owner, "not release-managers"),
        ("lead", gone, "not active"),
    ):
        with pytest.raises(InvalidInput, match=words):
            planning.fill_role(manager, release, role=role, user=person, now=MONDAY)
    planning.fill_role(manager, release, role="lead", user=manager, now=MONDAY)
    other = member("other", "release-managers")
    planning.fill_role(manager, release, role="lead", user=other, now=MONDAY)
    told = Event.objects.filter(verb="role.filled").last()
    assert told is not None
    assert (told.before, told.after) == ({"role": "lead", "user": "manager"}, {"role": "lead", "user": "other"})
    starting.start_release(manager, release, now=MONDAY)
    running.abort_release(manager, release, now=MONDAY, reason="over")
    with pytest.raises(Conflict, match="aborted; its roles stay"):
        planning.fill_role(manager, release, role="lead", user=manager, now=MONDAY)
