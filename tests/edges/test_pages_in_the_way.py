"""What stands in the way of a start, on its page: exceptions asked for, the glass broken, and signed off later."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from processes.models import Process
from releases.models import BreakGlass, Freeze, FreezeException, FreezeWindow, Release
from releases.services import exempting
from tests.edges.pages import KINDS, Reader, page_of, plan, publish, start
from tests.edges.test_pages_costs import queries
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db

LED = """
kind: Process
id: led
name: Led
roles: {lead: {group: qa}}
phases:
  - {id: only, name: Only, owners: [role:lead], activities: [{id: look, manual: {instructions: Look.}}]}
"""
HOLDS = """
kind: Resource
id: cart
name: Cart
type: service
exclusive: true
---
kind: Process
id: holds
name: Holds
resources: [cart]
phases: [{id: only, name: Only, owners: [group:qa], activities: [{id: look, manual: {instructions: Look.}}]}]
"""


@pytest.fixture
def process(engine: ScriptedRunner) -> Process:
    return publish(KINDS)


@pytest.fixture
def release(process: Process, manager: User) -> Release:
    return plan(process, manager)


@pytest.fixture
def freeze(process: Process) -> Freeze:
    """A freeze of everything that began an hour ago."""
    row = Freeze.objects.create(slug="quiet", name="Quiet time", body={"scope": {"everything": True}})
    FreezeWindow.objects.create(freeze=row, starts_at=timezone.now() - timedelta(hours=1), ends_at=None)
    return row


@pytest.fixture
def starter(process: Process, stranger: User) -> User:
    """Starts releases of the process, and no more."""
    permission = Permission.objects.get(codename="start_process")
    stranger.user_permissions.add(permission)
    return User.objects.get(pk=stranger.pk)


def test_the_start_says_what_stops_it_beside_its_values(release: Release, freeze: Freeze, manager: User) -> None:
    reader = Reader(manager)
    text = reader.open(page_of(release, "start/"))
    assert "What stops it now Stops it The freeze 'Quiet time' applies until it is lifted." in text
    assert "Every value is there" in text
    text = reader.send(page_of(release, "start/"), start="yes", **{"inputs.version": "2.0"})
    assert (reader.status, Release.objects.get().state) == (409, "draft")
    assert "It did not start. What stands in its way is below." in text
    assert 'value="2.0"' in reader.source


def test_a_running_release_that_holds_what_only_one_may_hold_is_told_before_the_start(
    manager: User, engine: ScriptedRunner
) -> None:
    process = publish(HOLDS)
    holder, release = start(process, manager, name="Holder"), plan(process, manager)
    reader, address = Reader(manager), page_of(release, "start/")
    reader.open(address)
    assert reader.text.count("'cart' is held by a running release, and only one release at a time may use it.") == 1
    assert f'href="/releases/{holder.pk}/"' in reader.source
    assert "The group 'qa' owns work in another release at the same time" not in reader.text
    reader.send(address, start="yes")
    assert (reader.status, Release.objects.get(pk=release.pk).state) == (409, "draft")
    assert "Break the glass" in reader.text
    reader.send(address, break_glass="yes", reason="Both are mine")
    assert Release.objects.get(pk=release.pk).state == "running"
    assert [one["code"] for one in BreakGlass.objects.get().ignored] == ["conflict"]


def test_what_disturbs_it_is_told_beside_what_holds_it(manager: User, engine: ScriptedRunner) -> None:
    process, now = publish(HOLDS), timezone.now()
    start(process, manager)
    plan_of = {"planned_start_at": now + timedelta(days=1), "planned_end_at": now + timedelta(days=2)}
    release = plan(process, manager, **plan_of)
    text = Reader(manager).open(page_of(release, "start/"))
    assert text.count("'cart' is held by a running release") == 1
    assert "The group 'qa' owns work in another release at the same time." in text


def test_what_does_not_stop_somebody_who_starts_it_is_called_a_note_there(
    manager: User, engine: ScriptedRunner
) -> None:
    release = plan(publish(LED), manager)
    assert "Stops it Nobody fills the role 'lead'" in Reader(manager).open(page_of(release))
    text = Reader(manager).open(page_of(release, "start/"))
    assert "that would not stop the start Note Nobody fills the role 'lead'" in text
    assert "Stops it" not in text


def test_without_anything_in_the_way_there_is_nothing_to_break(release: Release, manager: User) -> None:
    reader = Reader(manager)
    assert "Break the glass" not in reader.open(page_of(release, "start/"))
    reader.send(page_of(release, "start/"), break_glass="yes", reason="Outage")
    assert (reader.status, "Nothing stops this release" in reader.text) == (409, True)
    assert not BreakGlass.objects.exists()


def test_breaking_the_glass_needs_a_reason_and_leaves_a_debt_for_somebody_else(
    release: Release, freeze: Freeze, manager: User, admin: User
) -> None:
    reader, address = Reader(manager), page_of(release, "start/")
    assert "A reason is required." in reader.send(address, break_glass="yes", reason=" ")
    assert (reader.status, Release.objects.get().state) == (400, "draft")
    text = reader.send(address, break_glass="yes", reason="The shop is down", **{"inputs.version": "2.0"})
    assert "manager broke the glass to start this release" in text
    assert "The shop is down" in text
    assert "Nobody has signed that off." in text
    assert Release.objects.get().inputs["version"] == "2.0"
    assert "sign-glass" not in reader.actions
    reader.send(page_of(release, "do/sign-glass/"), reason="I was right")
    assert (reader.status, BreakGlass.objects.get().signed_at) == (403, None)
    other = Reader(admin)
    other.open(page_of(release))
    assert "sign-glass" in other.actions
    assert "Signed off by admin" in other.send(page_of(release, "do/sign-glass/"), reason="Fair enough")
    assert "Fair enough" in other.text
    other.send(page_of(release, "do/sign-glass/"))
    assert other.status == 409


def test_signing_off_what_nobody_broke_is_a_conflict(release: Release, manager: User) -> None:
    reader = Reader(manager)
    reader.send(page_of(release, "do/sign-glass/"))
    assert (reader.status, "Nobody broke the glass" in reader.text) == (409, True)


def test_who_may_only_start_asks_for_an_exception(
    release: Release, freeze: Freeze, starter: User, manager: User
) -> None:
    reader, address = Reader(starter), page_of(release, "start/")
    assert "Break the glass" not in reader.open(address)
    reader.send(address, break_glass="yes", reason="x")
    assert (reader.status, Release.objects.get().state) == (403, "draft")
    ask = f"{address}exception/"
    assert "Ask for an exception" in reader.open(address)
    assert "A reason is required." in reader.send(ask, freeze="quiet", reason="", expires_at="2100-01-01T00:00")
    assert "This moment has passed." in reader.send(ask, freeze="quiet", reason="Fix", expires_at="2020-01-01T00:00")
    assert "'soon' is not a date and time." in reader.send(ask, freeze="quiet", reason="Fix", expires_at="soon")
    assert "no such freeze" in reader.send(ask, freeze="other\x00", reason="Fix")
    assert not FreezeException.objects.exists()
    assert "stranger has asked for an exception until" in reader.send(ask, freeze="quiet", reason="Fix", expires_at="")
    assert "asked for and not decided yet" in reader.send(ask, freeze="quiet", reason="Fix")
    assert reader.status == 409
    exception = FreezeException.objects.get()
    exempting.grant_exception(manager, exception, now=timezone.now())
    assert "What stops it now" not in reader.open(address)
    reader.send(address, start="yes")
    assert Release.objects.get().state == "running"


def test_a_refused_exception_is_told_and_may_be_asked_for_again(
    release: Release, freeze: Freeze, starter: User, manager: User
) -> None:
    at = timezone.now() + timedelta(days=1)
    asked = exempting.ask_exception(starter, freeze, reason="Fix", expires_at=at, release=release, now=timezone.now())
    exempting.refuse_exception(manager, asked, reason="Not now", now=timezone.now())
    text = Reader(starter).open(page_of(release, "start/"))
    assert "manager refused an exception: Not now" in text
    assert "Ask for an exception" in text


def test_a_void_exception_is_told_and_may_be_asked_for_again(
    release: Release, freeze: Freeze, starter: User, manager: User
) -> None:
    now = timezone.now()
    at = now + timedelta(days=1)
    asked = exempting.ask_exception(starter, freeze, reason="Fix", expires_at=at, release=release, now=now)
    exempting.grant_exception(manager, asked, now=now)
    assert "What stops it now" not in Reader(starter).open(page_of(release, "start/"))
    exempting.void_exceptions(None, freeze, now=now)
    text = Reader(starter).open(page_of(release, "start/"))
    assert "stranger asked for is void: the scope or window of the freeze has changed since" in text
    assert "Ask for an exception" in text


def test_an_unpaid_debt_stops_the_next_start(release: Release, process: Process, manager: User, admin: User) -> None:
    other = plan(process, manager, name="Older")
    BreakGlass.objects.create(release=other, reason="Outage", at=timezone.now(), by=admin, by_name="admin")
    text = Reader(manager).open(page_of(release, "start/"))
    assert "An earlier release was started by breaking the glass" in text
    assert "Ask for an exception" not in text


def test_the_start_costs_the_same_however_many_freezes_stop_it(release: Release, freeze: Freeze, manager: User) -> None:
    reader = Reader(manager)
    once = queries(reader, page_of(release, "start/"))
    for number in range(5):
        row = Freeze.objects.create(slug=f"quiet-{number}", name="More", body={"scope": {"everything": True}})
        FreezeWindow.objects.create(freeze=row, starts_at=timezone.now() - timedelta(hours=1), ends_at=None)
    assert queries(reader, page_of(release, "start/")) == once
