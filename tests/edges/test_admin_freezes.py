"""Freezes in the admin: written in fields, kept as they were typed elsewhere, lifted; exceptions and debts decided."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from releases.freeze_documents import export_freeze, save_freeze
from releases.models import BreakGlass, Freeze, FreezeException, Release, ReleaseGroup
from releases.services.freezing import stop_the_line
from tests.builders import MONDAY, start
from tests.edges.desk import Desk, staff

pytestmark = pytest.mark.django_db

PROCESS = "{id: shop, phases: [{id: a, name: A, activities: [{id: b, manual: {instructions: Look.}}]}]}"
WRITTEN = {
    "kind": "Freeze",
    "id": "odd",
    "scope": {"tags": ["web"], "groups": [], "everything": False},
    "window": {"timezone": "Europe/Berlin", "start": "2026-01-02T18:00", "duration": 3600, "rrule": "FREQ=DAILY"},
    "in_flight": "drain",
    "name": "Odd",
}


@pytest.fixture
def release() -> Release:
    return start(PROCESS)


@pytest.fixture
def train(release: Release) -> ReleaseGroup:
    return ReleaseGroup.objects.create(slug="train", name="Train", process=release.process)


@pytest.fixture
def desk(manager: User) -> Desk:
    return Desk(staff(manager))


def test_a_freeze_is_written_in_fields(desk: Desk, train: ReleaseGroup) -> None:
    desk.open("releases_freeze_add").save(
        slug="weekend",
        name="Weekend",
        groups=["train"],
        tags=["web"],
        start="2026-01-02T18:00",
        timezone="Europe/Berlin",
        duration="2d12h",
        rrule="FREQ=WEEKLY;BYDAY=FR",
        in_flight="hold",
    )
    assert desk.first_status == 302, desk.text
    freeze = Freeze.objects.get()
    assert export_freeze(freeze) == {
        "kind": "Freeze",
        "id": "weekend",
        "name": "Weekend",
        "scope": {"groups": ["train"], "tags": ["web"]},
        "window": {
            "start": "2026-01-02T18:00",
            "timezone": "Europe/Berlin",
            "duration": "2d12h",
            "rrule": "FREQ=WEEKLY;BYDAY=FR",
        },
        "in_flight": "hold",
    }
    assert freeze.windows.count() > 50
    desk.open("releases_freeze_change", freeze.pk)
    assert f"{freeze.windows.filter(ends_at__gt=timezone.now()).earliest('starts_at').starts_at:%Y-%m-%d}" in desk.text


def test_faults_stand_beside_their_fields_and_nothing_is_lost(desk: Desk, train: ReleaseGroup) -> None:
    desk.open("releases_freeze_add").save(
        slug="x", name="X", groups=["trian"], start="2026-01-02T18:00", timezone="UTC", duration="1d"
    )
    assert "There is no release group 'trian'" in desk.text
    assert desk.form["groups"] == ["trian"]
    desk.save(groups=["train"], duration="soon")
    assert "'soon' is not a duration" in desk.text
    assert not Freeze.objects.exists()


def test_saving_an_untouched_form_changes_nothing(desk: Desk) -> None:
    freeze, _ = save_freeze(None, WRITTEN, now=MONDAY)
    desk.open("releases_freeze_change", freeze.pk).save()
    assert desk.first_status == 302, desk.text
    freeze.refresh_from_db()
    assert (freeze.version, export_freeze(freeze)) == (1, WRITTEN)
    desk.open("releases_freeze_change", freeze.pk).save(name="Odder")
    freeze.refresh_from_db()
    assert (freeze.version, export_freeze(freeze)) == (2, {**WRITTEN, "name": "Odder"})


def test_the_line_is_stopped_and_lifted(desk: Desk, train: ReleaseGroup) -> None:
    assert "Stop the line" in desk.open("releases_freeze_changelist").text
    assert reverse("admin:jsi18n") in desk.open("releases_freeze_stop").source, "its calendars need the words"
    desk.send({"reason": "Payments are down"})
    assert desk.status == 400
    assert "The scope names nothing" in desk.text
    desk.open("releases_freeze_stop").send({"groups": ["train"], "reason": "Payments are down"})
    freeze = Freeze.objects.get()
    assert freeze.windows.get().ends_at is None
    assert freeze.body["scope"] == {"groups": ["train"]}
    desk.open("releases_freeze_lift", freeze.pk).send({"reason": ""})
    assert "A reason is required" in desk.text
    desk.open("releases_freeze_lift", freeze.pk).send({"reason": "Back"})
    assert freeze.windows.get().lifted_by_name == "manager"
    assert "lifted by manager" in desk.text


def test_who_may_only_look_sees_the_document_and_stops_nothing(stranger: User, train: ReleaseGroup) -> None:
    stranger.user_permissions.add(Permission.objects.get(codename="view_freeze"))
    freeze, _ = save_freeze(None, WRITTEN, now=MONDAY)
    desk = Desk(staff(stranger))
    assert "Stop the line" not in desk.open("releases_freeze_changelist").text
    assert "FREQ=DAILY" in desk.open("releases_freeze_change", freeze.pk).text
    assert desk.open("releases_freeze_stop").status == 403
    assert desk.open("releases_freeze_lift", freeze.pk).status == 403


def test_an_exception_is_granted_or_refused(desk: Desk, release: Release, admin: User) -> None:
    freeze, _ = save_freeze(None, WRITTEN, now=MONDAY)
    asked = {"freeze": freeze, "reason": "Fix", "asked_at": MONDAY, "expires_at": timezone.now() + timedelta(days=1)}
    first = FreezeException.objects.create(release=release, asked_by=admin, asked_by_name="admin", **asked)
    own = FreezeException.objects.create(
        release=release, asked_by=User.objects.get(username="manager"), asked_by_name="manager", **asked
    )
    desk.open("releases_freezeexception_grant", first.pk).send({})
    first.refresh_from_db()
    assert (first.state, first.decided_by_name) == ("granted", "manager")
    assert "not yours to do" in desk.open("releases_freezeexception_grant", own.pk).text
    desk.open("releases_freezeexception_refuse", own.pk).send({})
    assert "A reason is required" in desk.text
    desk.open("releases_freezeexception_refuse", own.pk).send({"reason": "Wait"})
    own.refresh_from_db()
    assert (own.state, own.decision_reason) == ("refused", "Wait")
    for page in (
        desk.open("releases_freezeexception_changelist").text,
        desk.open("releases_freezeexception_change", own.pk).text,
    ):
        assert f"{MONDAY:%a %Y-%m-%d %H:%M} UTC" in page
        assert ("Asked by" in page, "by name" in page, "Expires at" in page) == (True, False, False)


def test_broken_glass_is_signed_off(desk: Desk, release: Release) -> None:
    debt = BreakGlass.objects.create(release=release, reason="Outage", ignored=[{"code": "frozen"}], at=MONDAY)
    assert "frozen" in desk.open("releases_breakglass_change", debt.pk).text
    desk.open("releases_breakglass_sign_off", debt.pk).send({"reason": "Fine"})
    debt.refresh_from_db()
    assert (debt.signed_by_name, debt.comment) == ("manager", "Fine")


def test_the_list_marks_those_that_apply_now(desk: Desk, train: ReleaseGroup) -> None:
    assert "applies" not in desk.open("releases_freeze_changelist").text
    stop_the_line(None, scope={"groups": ["train"]}, reason="Outage", now=timezone.now())
    assert "applies" in desk.open("releases_freeze_changelist").text
