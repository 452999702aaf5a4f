"""Exceptions from freezes are asked for, decided by somebody else and expire; debts are paid by somebody else."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from guardian.shortcuts import assign_perm

from config.errors import Conflict, InvalidInput, NotPermitted
from config.models import Event
from config.preferences import save_preference
from releases.freezes import blocks
from releases.models import ActivityRun, BreakGlass, Freeze, Notice, Release, ReleaseGroup
from releases.notifications import mail_notices
from releases.scopes import Subject
from releases.services import noticing
from releases.services.break_glass import may_sign_off, sign_off_break_glass, unpaid_debt
from releases.services.exempting import ask_exception, grant_exception, refuse_exception, withdraw_exception
from releases.services.freezing import stop_the_line
from tests.builders import MONDAY, start
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ONE = "{id: shop, phases: [{id: a, name: A, activities: [{id: b, manual: {instructions: Look.}}]}]}"
OTHER = ONE.replace("shop", "bar")


@pytest.fixture
def release(engine: ScriptedRunner) -> Release:
    return start(ONE)


@pytest.fixture
def train(release: Release) -> ReleaseGroup:
    return ReleaseGroup.objects.create(slug="train", name="Train", process=release.process)


@pytest.fixture
def stopped() -> Freeze:
    return stop_the_line(None, scope={"everything": True}, reason="Outage", now=MONDAY)


@pytest.fixture
def starter(stranger: User, release: Release) -> User:
    """May start releases of this one process."""
    assign_perm("start_process", stranger, release.process)
    return stranger


def is_blocked(release: Release, at: datetime = MONDAY) -> bool:
    group = release.group.slug if release.group else ""
    return bool(blocks(Subject(group=group, process="shop"), at=at, release=release))


def test_an_exception_is_asked_for_and_granted_by_somebody_else(release, stopped, starter, manager):
    run = ActivityRun.objects.filter(release=release)
    run.update(held_by={"kind": "freeze"}, held_until=MONDAY + DAY)
    asked = ask_exception(starter, stopped, release=release, reason="Fix", expires_at=MONDAY + DAY, now=MONDAY)
    assert is_blocked(release)
    with pytest.raises(NotPermitted):
        grant_exception(starter, asked, now=MONDAY)
    granted = grant_exception(manager, asked, now=MONDAY + HOUR)
    assert (granted.state, granted.asked_by_name, granted.decided_by_name) == ("granted", "stranger", "manager")
    assert not is_blocked(release)
    assert is_blocked(release, MONDAY + DAY)
    assert run.get().held_until == MONDAY + HOUR
    verbs = Event.objects.filter(release_id=release.pk, verb__startswith="freeze_exception").order_by("id")
    assert [(one.verb, one.actor_name, one.reason) for one in verbs] == [
        ("freeze_exception.asked", "stranger", "Fix"),
        ("freeze_exception.granted", "manager", ""),
    ]


def told() -> list[tuple[str, str]]:
    return [(notice.user.username, str(notice)) for notice in Notice.objects.order_by("id")]


def test_those_who_may_grant_are_told_and_then_whoever_asked(release, stopped, starter, manager, owner):
    asked = ask_exception(starter, stopped, release=release, reason="Fix", expires_at=MONDAY + DAY, now=MONDAY)
    assert told() == [("manager", f"stranger asks for an exception from {stopped}")]
    grant_exception(manager, asked, now=MONDAY)
    withdraw_exception(manager, asked, now=MONDAY)
    withdrawn, granted = [text for name, text in reversed(told()) if name == "stranger"]
    assert granted == f"The exception from {stopped} that you asked for is granted by manager"
    assert withdrawn.endswith("is withdrawn by manager")
    assert len(told()) == 3


def test_nobody_is_told_of_what_they_do_themselves(release, stopped, manager, admin):
    asked = ask_exception(manager, stopped, release=release, reason="Fix", expires_at=MONDAY + DAY, now=MONDAY)
    withdraw_exception(manager, asked, now=MONDAY)
    assert [name for name, _ in told()] == ["admin"]


def test_what_is_asked_and_decided_is_mailed_with_the_reason(release, stopped, starter, manager, mailoutbox):
    asked = ask_exception(starter, stopped, release=release, reason="A fix", expires_at=MONDAY + DAY, now=MONDAY)
    refuse_exception(manager, asked, reason="Not today", now=MONDAY)
    for person in (manager, starter):
        assert mail_notices(person.pk, now=MONDAY) == 1
    assert [(mail.to, mail.subject) for mail in mailoutbox] == [
        (["manager@example.com"], f"stranger asks for an exception from {stopped}: {release}"),
        (["stranger@example.com"], f"The exception from {stopped} that you asked for is refused by manager: {release}"),
    ]
    assert ("A fix" in mailoutbox[0].body, "Not today" in mailoutbox[1].body) == (True, True)
    assert all(f"/freezes/{stopped.slug}/#exceptions" in mail.body for mail in mailoutbox)


def test_whoever_does_not_want_mails_of_exceptions_gets_none(release, stopped, starter, manager, mailoutbox):
    save_preference(manager, {"unmailed": ["exception"]}, now=MONDAY)
    ask_exception(starter, stopped, release=release, reason="A fix", expires_at=MONDAY + DAY, now=MONDAY)
    assert (mail_notices(manager.pk, now=MONDAY), mailoutbox) == (0, [])
    assert noticing.notices_of(manager).count() == 1


def test_nobody_grants_their_own_even_with_the_permission(release, stopped, manager, admin):
    asked = ask_exception(manager, stopped, release=release, reason="Fix", expires_at=MONDAY + DAY, now=MONDAY)
    with pytest.raises(NotPermitted):
        grant_exception(manager, asked, now=MONDAY)
    assert is_blocked(release)
    assert grant_exception(admin, asked, now=MONDAY).state == "granted"


def test_a_groups_exception_is_for_its_releases_only(release, train, stopped, starter, admin):
    other = start(ONE)
    Release.objects.filter(pk=release.pk).update(group=train)
    release.refresh_from_db()
    asked = ask_exception(starter, stopped, group=train, reason="Fix", expires_at=MONDAY + DAY, now=MONDAY)
    grant_exception(admin, asked, now=MONDAY)
    assert (is_blocked(release), is_blocked(other)) == (False, True)


def test_who_may_not_start_may_not_ask(release, train, stopped, stranger):
    for scope in ({"release": release}, {"group": train}):
        with pytest.raises(NotPermitted):
            ask_exception(stranger, stopped, reason="x", expires_at=MONDAY + DAY, now=MONDAY, **scope)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"reason": " "}, "reason"),
        ({"expires_at": MONDAY}, "expires_at"),
        ({"expires_at": MONDAY + 366 * DAY + HOUR}, "expires_at"),
        ({"release": None}, "release"),
    ],
)
def test_what_is_asked_has_a_scope_a_reason_and_an_end_within_a_year(release, stopped, manager, change, path):
    asked = {"release": release, "reason": "x", "expires_at": MONDAY + DAY, **change}
    with pytest.raises(InvalidInput) as refused:
        ask_exception(manager, stopped, now=MONDAY, **asked)
    assert [fault.path for fault in refused.value.faults] == [path]


def test_every_fault_of_what_is_asked_is_told_at_once(release, stopped, manager):
    with pytest.raises(InvalidInput) as refused:
        ask_exception(manager, stopped, release=release, reason="", expires_at=MONDAY + 9000 * DAY, now=MONDAY)
    assert [fault.path for fault in refused.value.faults] == ["expires_at", "reason"]


def test_one_may_be_asked_for_a_whole_year(release, stopped, manager):
    year = MONDAY + 366 * DAY
    assert ask_exception(manager, stopped, release=release, reason="x", expires_at=year, now=MONDAY).expires_at == year


def test_the_same_is_not_asked_twice_nor_for_what_is_over(release, stopped, manager):
    asked = {"release": release, "reason": "x", "expires_at": MONDAY + DAY, "now": MONDAY}
    ask_exception(manager, stopped, **asked)
    with pytest.raises(Conflict, match="asked for"):
        ask_exception(manager, stopped, **asked)
    release.finished_at, release.state = MONDAY, "failed"
    with pytest.raises(Conflict, match="failed"):
        ask_exception(manager, stopped, **asked)


@pytest.mark.parametrize("state", ["cancelled", "missed"])
def test_none_is_asked_for_what_was_called_off_until_it_is_scheduled_again(release, stopped, manager, state):
    asked = {"release": release, "reason": "x", "expires_at": MONDAY + DAY, "now": MONDAY}
    release.state = state
    with pytest.raises(Conflict, match=f"{state}; schedule it again") as refused:
        ask_exception(manager, stopped, **asked)
    assert refused.value.code == "wrong_state"
    release.state = "scheduled"
    assert ask_exception(manager, stopped, **asked).state == "pending"


def test_a_refusal_has_a_reason_and_is_final(release, stopped, starter, manager):
    asked = ask_exception(starter, stopped, release=release, reason="x", expires_at=MONDAY + DAY, now=MONDAY)
    with pytest.raises(NotPermitted):
        refuse_exception(starter, asked, reason="no", now=MONDAY)
    with pytest.raises(InvalidInput):
        refuse_exception(manager, asked, reason="", now=MONDAY)
    assert refuse_exception(manager, asked, reason="Wait", now=MONDAY).decision_reason == "Wait"
    with pytest.raises(Conflict) as late:
        grant_exception(manager, asked, now=MONDAY)
    assert late.value.code == "decided"
    assert is_blocked(release)


def test_an_expired_one_is_not_granted(release, stopped, starter, manager):
    asked = ask_exception(starter, stopped, release=release, reason="x", expires_at=MONDAY + HOUR, now=MONDAY)
    with pytest.raises(Conflict) as late:
        grant_exception(manager, asked, now=MONDAY + HOUR)
    assert late.value.code == "expired"


def test_who_asked_takes_it_back_granted_or_not(release, stopped, starter, owner, manager):
    asked = ask_exception(starter, stopped, release=release, reason="x", expires_at=MONDAY + DAY, now=MONDAY)
    grant_exception(manager, asked, now=MONDAY)
    with pytest.raises(NotPermitted):
        withdraw_exception(owner, asked, now=MONDAY)
    assert withdraw_exception(starter, asked, now=MONDAY).state == "withdrawn"
    assert is_blocked(release)
    with pytest.raises(Conflict):
        withdraw_exception(starter, asked, now=MONDAY)


def break_glass(release: Release, by: User | None) -> BreakGlass:
    return BreakGlass.objects.create(release=release, reason="Outage", at=MONDAY, by=by, by_name="ann")


def planned(of: Release) -> Release:
    return Release.objects.create(
        process=of.process,
        group=of.group,
        name="Next",
        state="scheduled",
        created_at=MONDAY,
        planned_start_at=MONDAY,
        next_try_at=MONDAY + DAY,
    )


def test_a_debt_is_the_groups_or_the_processs(release, train):
    elsewhere = start(OTHER)
    debt = break_glass(release, None)
    next_one = planned(release)
    assert unpaid_debt(next_one) == debt
    assert unpaid_debt(release) is None
    assert unpaid_debt(elsewhere) is None
    of_train = planned(release)
    of_train.group = train
    of_train.save()
    assert unpaid_debt(of_train) is None
    first = start(ONE)
    Release.objects.filter(pk=first.pk).update(group=train)
    owed = break_glass(first, None)
    assert (unpaid_debt(of_train), unpaid_debt(next_one)) == (owed, debt)


def test_somebody_else_who_operates_it_pays_the_debt(release, manager, starter, admin):
    debt, next_one = break_glass(release, manager), planned(release)
    for person in (manager, starter):
        assert not may_sign_off(person, debt)
        with pytest.raises(NotPermitted):
            sign_off_break_glass(person, debt, comment="Fine", now=MONDAY)
    paid = sign_off_break_glass(admin, debt, comment="Looked at it", now=MONDAY + HOUR)
    assert (paid.signed_by_name, paid.signed_at, paid.comment) == ("admin", MONDAY + HOUR, "Looked at it")
    assert unpaid_debt(next_one) is None
    next_one.refresh_from_db()
    assert next_one.next_try_at == MONDAY + HOUR
    event = Event.objects.get(verb="break_glass.signed_off")
    assert (event.release_id, event.reason) == (release.pk, "Looked at it")
    with pytest.raises(Conflict):
        sign_off_break_glass(admin, debt, comment="Again", now=MONDAY)
