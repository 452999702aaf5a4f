"""Releases in the admin: started in spite of what stops them, moved once the consequences were shown, excepted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from guardian.shortcuts import assign_perm

from processes.models import Process
from processes.services import apply
from releases.groups import save_group
from releases.models import BreakGlass, Freeze, FreezeException, Release, ReleaseGroup
from releases.services import planning, starting
from releases.services.freezing import stop_the_line
from releases.services.moving import move_release
from tests.edges.desk import Desk, staff

pytestmark = pytest.mark.django_db

SHOP = """
kind: Process
id: shop
name: Shop
inputs: {version: {type: string, default: "1"}}
phases:
  - {id: only, name: Only, activities: [{id: agree, manual: {instructions: Look.}}]}
"""
CART = """---
kind: Resource
id: cart
name: Cart
type: service
exclusive: true
"""
TRAIN: dict[str, Any] = {
    "kind": "ReleaseGroup",
    "id": "train",
    "name": "Train",
    "process": "shop",
    "cadence": {
        "rrule": "FREQ=WEEKLY;BYDAY=TH",
        "start": "2026-01-08T09:00",
        "timezone": "UTC",
        "duration": "2d",
    },
}


@pytest.fixture(autouse=True)
def shop(groups: Any) -> Process:
    apply(None, SHOP, now=timezone.now(), publish=True)
    return Process.objects.get()


@pytest.fixture
def release(shop: Process) -> Release:
    return planning.create_release(None, process=shop, name="Spring", now=timezone.now())


@pytest.fixture
def desk(manager: User) -> Desk:
    return Desk(staff(manager))


def freeze(**more: Any) -> Freeze:
    return stop_the_line(None, scope={"processes": ["shop"]}, reason="Outage", now=timezone.now(), **more)


def train() -> list[Release]:
    save_group(None, TRAIN, now=timezone.now())
    return list(Release.objects.exclude(group=None).order_by("planned_start_at"))


def start_of(release: Release) -> datetime:
    release.refresh_from_db()
    assert release.planned_start_at is not None
    return release.planned_start_at


def moment(at: datetime, name: str = "planned_start_at") -> dict[str, str]:
    return {f"{name}_0": f"{at:%Y-%m-%d}", f"{name}_1": f"{at:%H:%M:%S}"}


# Starting


def test_the_glass_is_broken_with_a_reason_when_something_stands_in_the_way(desk: Desk, release: Release) -> None:
    freeze()
    text = desk.open("releases_release_start", release.pk).text
    assert "applies until it is lifted" in text
    assert "Break the glass and start" in text
    desk.send({})
    assert desk.status == 400
    assert "applies until it is lifted" in desk.text
    desk.send({"break": "1", "reason": " "})
    assert "A reason is required" in desk.text
    assert not BreakGlass.objects.exists()
    desk.send({"break": "1", "reason": "Payments are down"})
    assert desk.first_status == 302
    release.refresh_from_db()
    assert release.state == "running"
    assert BreakGlass.objects.get(release=release).reason == "Payments are down"


def test_what_a_running_release_holds_for_itself_alone_is_told_and_may_be_ignored(desk: Desk, release: Release) -> None:
    apply(None, SHOP.replace("inputs:", "resources: [cart]\ninputs:") + CART, now=timezone.now(), publish=True)
    holder = planning.create_release(None, process=release.process, name="Holder", now=timezone.now())
    starting.start_release(None, holder, now=timezone.now())
    assert "'cart' is held by a running release" in desk.open("releases_release_start", release.pk).text
    desk.send({"break": "1", "reason": "Both are mine"})
    release.refresh_from_db()
    assert release.state == "running"


def test_no_glass_is_broken_where_nothing_stands_in_the_way(desk: Desk, release: Release) -> None:
    assert "Break the glass" not in desk.open("releases_release_start", release.pk).text
    desk.send({"break": "1", "reason": "Haste"})
    assert "start it as usual" in desk.text
    assert not BreakGlass.objects.exists()
    desk.open("releases_release_start", release.pk).send({})
    release.refresh_from_db()
    assert release.state == "running"


def test_breaking_the_glass_is_for_those_who_may(stranger: User, release: Release, shop: Process) -> None:
    freeze()
    assign_perm("start_process", stranger, shop)
    desk = Desk(staff(stranger))
    text = desk.open("releases_release_start", release.pk).text
    assert "applies until it is lifted" in text
    assert "Break the glass" not in text
    assert desk.send({"break": "1", "reason": "Me"}).status == 403
    stranger.user_permissions.add(Permission.objects.get(codename="break_glass_release"))
    assert "Break the glass" in desk.open("releases_release_start", release.pk).text


# Moving


def test_one_is_moved_once_what_that_does_was_shown(desk: Desk) -> None:
    first, second, *_ = train()
    to = start_of(first) + timedelta(hours=5)
    stop_the_line(None, scope={"groups": ["train"]}, reason="Outage", now=timezone.now())
    desk.open("releases_release_move", first.pk).save(**moment(to), _show="1")
    assert "Nothing has been moved yet" in desk.text
    assert f"{to:%a %Y-%m-%d %H:%M}" in desk.text
    assert "The freeze" in desk.text
    assert start_of(first) == to - timedelta(hours=5)
    before = start_of(second)
    desk.save(_move="1")
    assert desk.first_status == 302, desk.text
    assert (start_of(first), start_of(second)) == (to, before)
    assert first.planned_end_at == to + timedelta(days=2)


def test_what_was_not_shown_is_not_moved(desk: Desk) -> None:
    first = train()[0]
    was = start_of(first)
    desk.open("releases_release_move", first.pk).save(**moment(was + timedelta(hours=1)), _move="1")
    assert "Nothing has been moved yet" in desk.text
    desk.save(**moment(was + timedelta(hours=2)), _move="1")
    assert "Nothing has been moved yet" in desk.text
    assert start_of(first) == was


@pytest.mark.parametrize("scope", ["following", "all"])
def test_others_of_its_group_move_with_it(desk: Desk, scope: str) -> None:
    before = train()
    to = start_of(before[1]) + timedelta(hours=3)
    desk.open("releases_release_move", before[1].pk).save(**moment(to), scope=scope, _show="1")
    assert desk.text.count(" changed ") >= len(before) - 2
    desk.save(_move="1")
    assert desk.first_status == 302, desk.text
    assert ReleaseGroup.objects.get().body["cadence"]["start"].endswith("12:00")
    assert start_of(before[3]).hour == 12
    assert start_of(before[0]).hour == (9 if scope == "following" else 12)


def test_one_that_stays_where_it_is_is_not_listed_as_changed(desk: Desk) -> None:
    first = train()[0]
    move_release(None, first, starts_at=start_of(first) + timedelta(hours=1), now=timezone.now())
    desk.open("releases_release_move", first.pk).save(**moment(start_of(first)), scope="all", _show="1")
    assert ("It stays where it is." in desk.text, f"{first} changed" in desk.text) == (True, False)
    to = start_of(first) + timedelta(hours=2)
    desk.open("releases_release_move", first.pk).save(**moment(to), scope="all", _show="1")
    assert desk.text.count(f"{first} changed ") == 1


@pytest.mark.parametrize("scope", ["this", "all"])
def test_a_move_that_somebody_forestalled_is_refused(desk: Desk, scope: str) -> None:
    first = train()[0]
    was = start_of(first)
    desk.open("releases_release_move", first.pk).save(**moment(was + timedelta(hours=1)), scope=scope, _show="1")
    move_release(None, first, starts_at=was + timedelta(minutes=5), now=timezone.now())
    desk.save(_move="1")
    assert desk.status == 400
    assert "meanwhile" in desk.text
    assert start_of(first) == was + timedelta(minutes=5)


def test_an_impossible_move_is_told_and_nothing_is_lost(desk: Desk) -> None:
    first = train()[0]
    to = start_of(first)
    desk.open("releases_release_move", first.pk).save(**moment(to), **moment(to - timedelta(1), "planned_end_at"))
    assert desk.status == 400
    assert desk.form["planned_end_at_0"] == f"{to - timedelta(1):%Y-%m-%d}"
    desk.save(planned_start_at_0="never")
    assert "Enter a valid date" in desk.text


def test_who_may_not_plan_moves_nothing(stranger: User, shop: Process) -> None:
    first = train()[0]
    assign_perm("view_releasegroup", stranger, first.group)
    desk = Desk(staff(stranger))
    assert ">Move<" not in desk.open("releases_release_change", first.pk).source
    assert desk.open("releases_release_move", first.pk).status == 403
    assert desk.send({**moment(start_of(first)), "scope": "this", "_move": "1"}).status == 403
    assign_perm("operate_releasegroup", stranger, first.group)
    desk.open("releases_release_move", first.pk)
    assert "Just this one" in desk.text
    assert "All of its group" not in desk.text
    nobody = Desk(staff(User.objects.create_user("nobody")))
    for page in ("move", "ask_exception", "start"):
        assert nobody.open(f"releases_release_{page}", first.pk).status in (403, 404)
        assert nobody.send({}).status in (403, 404)


# Exceptions


def test_an_exception_is_asked_for_where_a_freeze_stands_in_the_way(desk: Desk, release: Release) -> None:
    until = timezone.now().replace(microsecond=0) + timedelta(days=30)
    standing = freeze(until=until)
    assert "Ask for an exception" in desk.open("releases_release_start", release.pk).text
    desk.open("releases_release_ask_exception", release.pk)
    assert desk.form["expires_at_0"] == f"{until:%Y-%m-%d}"
    desk.save(reason="")
    assert "A reason is required" in desk.text
    desk.save(reason="A fix", freeze=standing.slug)
    assert desk.first_status == 302, desk.text
    asked = FreezeException.objects.get()
    assert (asked.freeze, asked.release, asked.reason) == (standing, release, "A fix")
    assert (asked.expires_at, asked.asked_by_name) == (until, "manager")
    desk.open("releases_release_ask_exception", release.pk).save(reason="Again", freeze=standing.slug)
    assert "has been asked for" in desk.text


def test_an_exception_is_asked_for_a_whole_group(desk: Desk) -> None:
    first = train()[0]
    freeze()
    desk.open("releases_release_ask_exception", first.pk).save(
        reason="A fix", target="group", **moment(timezone.now() + timedelta(days=9), "expires_at")
    )
    assert desk.first_status == 302, desk.text
    assert FreezeException.objects.get().group == first.group


def test_the_button_is_there_when_a_freeze_was_found(desk: Desk, release: Release) -> None:
    assert "ask-exception" not in desk.open("releases_release_change", release.pk).source
    assert "No freeze stands in its way" in desk.open("releases_release_ask_exception", release.pk).text
    Release.objects.filter(pk=release.pk).update(findings=[{"code": "frozen", "path": "x", "stops": True}])
    assert "ask-exception" in desk.open("releases_release_change", release.pk).source


def test_who_may_only_look_asks_for_nothing(stranger: User) -> None:
    first = train()[0]
    freeze()
    assign_perm("view_releasegroup", stranger, first.group)
    desk = Desk(staff(stranger))
    assert desk.open("releases_release_ask_exception", first.pk).status == 403
    assert desk.send({"reason": "x"}).status == 403
    assert not FreezeException.objects.exists()
