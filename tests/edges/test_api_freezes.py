"""Freezes by the API: written, seen, lifted; exceptions asked for and decided; broken glass signed off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from guardian.shortcuts import assign_perm

from processes.models import Resource
from releases.freeze_documents import export_freeze, save_freeze
from releases.models import BreakGlass, Freeze, FreezeException, Release, ReleaseGroup
from releases.services.freezing import stop_the_line
from tests.builders import MONDAY, start
from tests.edges.calls import Caller, all_pages

pytestmark = pytest.mark.django_db

PROCESS = "{id: shop, phases: [{id: a, name: A, activities: [{id: b, manual: {instructions: Look.}}]}]}"
DAY = timedelta(days=1)
WEEKLY = {"rrule": "FREQ=WEEKLY;BYDAY=FR", "start": "2026-01-02T18:00", "duration": "2d", "timezone": "Europe/Berlin"}
QUIET = {"name": "Quiet", "scope": {"groups": ["train"], "processes": ["shop"], "tags": ["web"]}, "window": WEEKLY}


@pytest.fixture
def release() -> Release:
    return start(PROCESS)


@pytest.fixture
def train(release: Release) -> ReleaseGroup:
    return ReleaseGroup.objects.create(slug="train", name="Train", process=release.process)


@pytest.fixture
def quiet(train: ReleaseGroup, manager: User) -> Freeze:
    answer = Caller(manager).put("freezes/quiet/", QUIET)
    assert answer.status == 201, answer
    return Freeze.objects.get()


@pytest.fixture
def starter(stranger: User, release: Release) -> User:
    """May start releases of one process, and therefore see them; nothing else."""
    assign_perm("start_process", stranger, release.process)
    return stranger


def test_a_freeze_is_put_seen_changed_and_deleted(quiet: Freeze, manager: User) -> None:
    caller = Caller(manager)
    seen = caller.get("freezes/quiet/")
    assert (seen["id"], seen["in_flight"], seen["hidden"]) == ("quiet", "drain", 0)
    assert seen["document"] == {"kind": "Freeze", "id": "quiet", **QUIET}
    assert caller.put("freezes/quiet/", QUIET).status == 428
    changed = caller.put("freezes/quiet/", {**QUIET, "in_flight": "hold"}, If_Match=seen.headers["ETag"])
    assert (changed.status, changed["in_flight"], changed["version"]) == (200, "hold", 2)
    assert caller.put("freezes/quiet/", QUIET, If_Match=seen.headers["ETag"]).status == 412
    wrong = caller.put("freezes/other/", {**QUIET, "scope": {"groups": ["trian"]}})
    assert (wrong.status, wrong.paths) == (400, {"scope.groups[0]"})
    assert caller.get("freezes/quiet/used-by/")["used_by"] == []
    assert caller.call("DELETE", "freezes/quiet/").status == 204
    assert caller.get("freezes/")["results"] == []


def test_its_windows_are_listed_by_time(quiet: Freeze, manager: User) -> None:
    caller = Caller(manager)
    starts = [one["starts_at"] for one in all_pages(caller, "freezes/quiet/windows/?page_size=20")]
    assert len(starts) in (57, 58)
    assert starts == sorted(starts)
    window = f"after={starts[3]}&before={starts[5]}"
    assert [one["starts_at"] for one in caller.get(f"freezes/quiet/windows/?{window}")["results"]] == starts[3:5]
    assert caller.get("freezes/quiet/windows/?after=soon").paths == {"after"}


def test_the_line_is_stopped_and_lifted(release: Release, manager: User, starter: User) -> None:
    body = {"scope": {"processes": ["shop"]}, "reason": "Payments are down"}
    assert Caller(starter).post("stop-the-line/", body).status == 403
    caller = Caller(manager)
    assert caller.post("stop-the-line/", {"scope": {"processes": ["x"]}, "reason": "x"}).paths == {"scope.processes[0]"}
    assert caller.post("stop-the-line/", {**body, "until": "2020-01-01T00:00Z"}).paths == {"until"}
    stopped = caller.post("stop-the-line/", body, Idempotency_Key="k")
    assert (stopped.status, stopped["applies"], stopped["in_flight"]) == (201, True, "hold")
    assert caller.post("stop-the-line/", body, Idempotency_Key="k")["id"] == stopped["id"]
    assert [one["id"] for one in caller.get("freezes/?applies=true")["results"]] == [stopped["id"]]
    address = f"freezes/{stopped['id']}/"
    assert Caller(starter).post(f"{address}lift/", {"reason": "x"}).status == 403
    assert caller.post(f"{address}lift/").paths == {"reason"}
    assert caller.post(f"{address}lift/", {"reason": "Back"})["applies"] is False
    assert caller.post(f"{address}lift/", {"reason": "Back"}).code == "not_open"
    window = caller.get(f"{address}windows/")["results"][0]
    assert (window["lifted_by"], window["ends_at"]) == ("manager", window["lifted_at"])


def test_who_sees_a_release_sees_the_freeze_but_not_what_is_hidden_from_them(quiet: Freeze, starter: User) -> None:
    Resource.objects.create(slug="secret-service", name="S", type="service")
    stop_the_line(None, scope={"services": ["secret-service"]}, reason="Outage", now=MONDAY)
    caller = Caller(starter)
    seen = {one["id"]: one for one in caller.get("freezes/")["results"]}
    assert seen["quiet"]["scope"] == {"groups": [], "processes": ["shop"], "tags": ["web"]}
    assert seen["quiet"]["hidden"] == 1
    assert caller.get("freezes/quiet/")["document"] is None
    assert "secret-service" not in caller.get("freezes/").raw.decode()
    assert "train" not in caller.get("freezes/quiet/").raw.decode()
    assert caller.get("freezes/quiet/windows/?page_size=1").status == 200
    assert caller.put("freezes/quiet/", QUIET, If_Match="*").status == 403
    assert caller.call("DELETE", "freezes/quiet/").status == 403


def test_a_stranger_learns_of_no_freeze(quiet: Freeze, stranger: User) -> None:
    caller = Caller(stranger)
    assert caller.get("freezes/")["results"] == []
    for address in ("freezes/quiet/", "freezes/quiet/windows/", "freezes/quiet/used-by/"):
        assert caller.get(address).status == 404
    assert caller.post("freezes/quiet/lift/", {"reason": "x"}).status == 404


def asked(caller: Caller, **more: Any) -> Any:
    body = {"freeze": "quiet", "reason": "Fix", "expires_at": (timezone.now() + DAY).isoformat(), **more}
    return caller.post("freeze-exceptions/", body)


def test_an_exception_is_asked_for_and_granted(quiet: Freeze, release: Release, starter: User, manager: User) -> None:
    own, judge = Caller(starter), Caller(manager)
    answer = asked(own, release=release.pk)
    assert (answer.status, answer["state"], answer["may"]) == (201, "pending", ["withdraw"])
    address = f"freeze-exceptions/{answer['id']}/"
    assert own.post(f"{address}grant/").status == 403
    assert judge.get(address)["may"] == ["grant", "refuse", "withdraw"]
    assert judge.post(f"{address}refuse/").paths == {"reason"}
    granted = judge.post(f"{address}grant/", {"reason": "Go"})
    assert (granted["state"], granted["decided_by"], granted["decision_reason"]) == ("granted", "manager", "Go")
    assert judge.post(f"{address}refuse/", {"reason": "No"}).code == "decided"
    listed = own.get(f"freeze-exceptions/?state=granted&freeze=quiet&release={release.pk}")["results"]
    assert [one["id"] for one in listed] == [answer["id"]]
    assert own.get("freeze-exceptions/?group=train")["results"] == []
    assert own.post(f"{address}withdraw/")["state"] == "withdrawn"


def test_an_exception_lasts_a_year_at_most(quiet: Freeze, release: Release, starter: User) -> None:
    answer = asked(Caller(starter), release=release.pk, expires_at=(timezone.now() + 367 * DAY).isoformat())
    assert (answer.status, answer.paths) == (400, {"expires_at"})


def test_a_void_exception_says_why(quiet: Freeze, release: Release, starter: User, manager: User) -> None:
    own = Caller(starter)
    address = f"freeze-exceptions/{asked(own, release=release.pk)['id']}/"
    assert own.get(address)["void_reason"] == ""
    save_freeze(None, {**export_freeze(quiet), "scope": {"tags": ["late"]}}, now=timezone.now())
    void = own.get(address)
    assert (void["state"], void["may"]) == ("void", [])
    assert "ask again" in void["void_reason"]
    assert Caller(manager).post(f"{address}grant/").code == "decided"
    assert own.get("freeze-exceptions/?state=void")["results"][0]["id"] == void["id"]


def test_what_they_cannot_see_cannot_be_named(quiet: Freeze, release: Release, starter: User, owner: User) -> None:
    assert asked(Caller(starter), group="train").paths == {"group"}
    assert asked(Caller(owner), release=release.pk).paths == {"freeze", "release"}
    assert asked(Caller(starter)).paths == {"release"}
    assert not FreezeException.objects.exists()


def test_an_exception_is_seen_by_who_sees_its_release(quiet: Freeze, release: Release, manager: User) -> None:
    answer = asked(Caller(manager), group="train")
    assert (answer.status, answer["group"], answer["may"]) == (201, "train", ["refuse", "withdraw"])
    outsider = User.objects.create_user("outsider")
    assert Caller(outsider).get(f"freeze-exceptions/{answer['id']}/").status == 404
    assign_perm("view_releasegroup", outsider, release.process.release_groups.get())
    viewer = Caller(User.objects.get(pk=outsider.pk))
    assert viewer.get(f"freeze-exceptions/{answer['id']}/")["may"] == []
    assert viewer.post(f"freeze-exceptions/{answer['id']}/withdraw/").status == 403


def test_broken_glass_is_listed_and_signed_off(release: Release, manager: User, starter: User, admin: User) -> None:
    debt = BreakGlass.objects.create(release=release, reason="Outage", at=MONDAY, by=manager, by_name="manager")
    address = f"break-glass/{debt.pk}/"
    assert [one["id"] for one in Caller(starter).get("break-glass/?unpaid=true")["results"]] == [debt.pk]
    assert Caller(starter).post(f"{address}sign-off/").status == 403
    assert Caller(manager).get(address)["may"] == []
    assert Caller(manager).post(f"{address}sign-off/").status == 403
    assert Caller(admin).get(address)["may"] == ["sign_off"]
    paid = Caller(admin).post(f"{address}sign-off/", {"comment": "Fine"})
    assert (paid["signed_by"], paid["comment"], paid["may"]) == ("admin", "Fine", [])
    assert Caller(admin).post(f"{address}sign-off/").code == "signed"
    assert Caller(admin).get("break-glass/?unpaid=true")["results"] == []
    assert len(Caller(admin).get("break-glass/?unpaid=false&process=shop")["results"]) == 1


def test_lists_cost_the_same_for_many_as_for_one(release: Release, train: ReleaseGroup, starter: User) -> None:
    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert Caller(starter).get(address).status == 200
        return len(seen)

    def plant() -> None:
        freeze = stop_the_line(None, scope={"groups": ["train"], "processes": ["shop"]}, reason="x", now=MONDAY)
        other = Release.objects.create(process=release.process, group=train, name="R", created_at=MONDAY)
        BreakGlass.objects.create(release=other, reason="x", at=MONDAY, by_name="ann")
        FreezeException.objects.create(
            freeze=freeze, release=other, reason="x", expires_at=MONDAY, asked_at=MONDAY, asked_by_name="ann"
        )

    addresses = ("freezes/", "freeze-exceptions/", "break-glass/")
    plant()
    before = [cost(address) for address in addresses]
    for _ in range(4):
        plant()
    assert [cost(address) for address in addresses] == before
