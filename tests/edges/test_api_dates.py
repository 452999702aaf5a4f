"""The dates of release groups through the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import call_command
from guardian.shortcuts import assign_perm

from processes.document import dump
from processes.services import apply
from releases.groups import save_group
from releases.models import BreakGlass, Freeze, FreezeWindow, Release, ReleaseGroup
from releases.services import planning
from tests.edges.calls import Caller
from tests.edges.desk import Desk, staff
from tests.edges.pages import Reader

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 10, 12, 12, tzinfo=UTC)
SHOP = """
kind: Process
id: shop
name: Shop
phases:
  - id: only
    name: Only
    opens: "+1 hour"
    due: "end -2 working days"
    activities: [{id: agree, due: 4h, manual: {tasks: [{id: notes, groups: [qa], due: "-1 day"}]}}]
"""
DOCUMENT: dict[str, Any] = {
    "kind": "ReleaseGroup",
    "id": "train",
    "name": "Train",
    "process": "shop",
    "cadence": {
        "rrule": "FREQ=WEEKLY;BYDAY=TH",
        "start": "2026-10-15T09:00",
        "timezone": "Europe/Berlin",
        "duration": "2d",
    },
}


@pytest.fixture(autouse=True)
def train(groups: Any) -> Any:
    """The group, planned; the clock stands still."""
    with time_machine.travel(NOW, tick=False):
        apply(None, SHOP, now=NOW, publish=True)
        yield save_group(None, DOCUMENT, now=NOW)[0]


def first() -> Release:
    return Release.objects.order_by("planned_start_at")[0]


def test_the_next_dates_come_with_their_releases_and_keep_their_wall_clock(manager: User) -> None:
    answer = Caller(manager).get("release-groups/train/dates/?limit=3")
    assert answer.status == 200, answer
    assert (answer["timezone"], answer["words"]) == (
        "Europe/Berlin",
        "Every Thursday at 09:00 (Europe/Berlin), for 2 days",
    )
    assert [(one["starts_at"], one["wall"], one["state"]) for one in answer["dates"]] == [
        ("2026-10-15T07:00:00Z", "2026-10-15T09:00", "scheduled"),
        ("2026-10-22T07:00:00Z", "2026-10-22T09:00", "scheduled"),
        ("2026-10-29T08:00:00Z", "2026-10-29T09:00", "scheduled"),
    ]
    assert answer["dates"][0]["release"] == first().pk


def test_a_date_that_was_bent_says_why(manager: User) -> None:
    rule = {**DOCUMENT["cadence"], "rrule": "FREQ=DAILY", "start": "2026-10-24T02:30", "duration": "1h"}
    answer = Caller(manager).post("release-groups/difference/", {**DOCUMENT, "cadence": rule})
    assert answer.status == 200, answer
    bends = {one["wall"]: [bend["kind"] for bend in one["bends"]] for one in answer["next"]["dates"][:3]}
    assert bends == {"2026-10-24T02:30": [], "2026-10-25T02:30": ["fold"], "2026-10-26T02:30": []}


def test_a_moment_that_is_none_is_told(manager: User) -> None:
    answer = Caller(manager).get("release-groups/train/dates/?after=soon&limit=900")
    assert (answer.status, answer.paths) == (400, {"after"})


def test_the_difference_is_shown_and_nothing_is_saved(manager: User) -> None:
    rule = {**DOCUMENT["cadence"], "start": "2026-10-15T10:00"}
    answer = Caller(manager).post("release-groups/difference/", {**DOCUMENT, "cadence": rule})
    assert (answer["status"], answer["changes"][0]) == (
        "changed",
        {
            "kind": "changed",
            "release": first().pk,
            "name": "Train 2026-10-15",
            "before": "2026-10-15T07:00:00Z",
            "after": "2026-10-15T08:00:00Z",
        },
    )
    assert first().planned_start_at == datetime(2026, 10, 15, 7, tzinfo=UTC)


@pytest.fixture
def planner(stranger: User, train: ReleaseGroup) -> User:
    """Changes the group's cadence, and may see none of its releases; one of them has a name of its own."""
    assign_perm("change_releasegroup", stranger, train)
    planning.edit_release(None, first(), {"name": "Takeover of Acme"}, now=NOW)
    return User.objects.get(pk=stranger.pk)


LATER = {**DOCUMENT, "cadence": {**DOCUMENT["cadence"], "start": "2026-10-15T10:00"}}


def test_the_difference_names_only_releases_one_may_see(planner: User, manager: User) -> None:
    whole, part = (Caller(who).post("release-groups/difference/", LATER) for who in (manager, planner))
    assert ("Takeover of Acme" in str(whole), whole["more"]) == (True, 0)
    assert (part["status"], part["changes"], part["more"]) == ("changed", [], len(whole["changes"]))
    fewer = {**LATER, "cadence": {**LATER["cadence"], "include": ["2026-10-20"]}}
    added = Caller(planner).post("release-groups/difference/", fewer)
    assert [one["kind"] for one in added["changes"]] == ["created"]


def test_a_move_names_only_the_others_one_may_see(planner: User) -> None:
    second = Release.objects.order_by("planned_start_at")[1]
    assign_perm("operate_release", planner, second)
    assert Release.objects.count() > 2
    said = {"planned_start_at": "2026-10-22T09:00:00Z", "scope": "all"}
    moved = Caller(planner).post(f"releases/{second.pk}/move/", said)
    assert [one["release"] for one in moved["changes"]] == [second.pk]
    assert moved["more"] == Release.objects.count() - 1
    page = Reader(planner).send(
        f"/releases/{second.pk}/move/", look="yes", planned_start_at="2026-10-22T08:00", scope="all"
    )
    assert f"{moved['more']} more releases of the group that you may not see" in page
    assert "Takeover of Acme" not in page


def test_the_command_names_only_releases_one_may_see(planner: User, tmp_path: Path) -> None:
    file, said = tmp_path / "train.yaml", StringIO()
    file.write_text(dump([LATER]))
    call_command("plan_difference", file=[str(file)], stdout=said, **{"as": "stranger"})
    assert said.getvalue().splitlines() == ["train: changed", f"  {Release.objects.count()} more that you may not see"]


def test_the_admins_preview_names_only_releases_one_may_see(planner: User, train: ReleaseGroup) -> None:
    desk = Desk(staff(planner))
    desk.open("releases_releasegroup_change", train.pk).save(start="2026-10-15T10:00", _preview="1")
    assert "more releases of the group that you may not see" in desk.text
    assert "Takeover of Acme" not in desk.text


def test_a_bad_rule_says_which_part_is_wrong(manager: User) -> None:
    rule = {**DOCUMENT["cadence"], "rrule": "FREQ=HOURLY"}
    answer = Caller(manager).post("release-groups/difference/", {**DOCUMENT, "cadence": rule})
    assert (answer.status, answer.paths) == (400, {"cadence.rrule"})
    assert "HOURLY" in answer["faults"][0]["message"]


def test_one_is_moved_or_the_whole_series(manager: User) -> None:
    caller, start = Caller(manager), "2026-10-15T08:00:00Z"
    moved = caller.post(f"releases/{first().pk}/move/", {"planned_start_at": start})
    assert (moved.status, moved["planned_start_at"], moved["changes"]) == (200, start, [])
    assert moved["planned_end_at"] == "2026-10-17T08:00:00Z"
    second = Release.objects.order_by("planned_start_at")[1]
    all_of_them = caller.post(
        f"releases/{second.pk}/move/", {"planned_start_at": "2026-10-22T09:00:00Z", "scope": "all"}
    )
    assert [change["kind"] for change in all_of_them["changes"][:2]] == ["kept", "changed"]


def test_what_is_inside_moves_with_its_release(manager: User) -> None:
    caller, release = Caller(manager), first()
    assert caller.get(f"releases/{release.pk}/dates/")["dates"] == [
        {
            "path": "only",
            "name": "Only",
            "opens_at": "2026-10-15T08:00:00Z",
            "due_at": "2026-10-15T07:00:00Z",
        },
        {"path": "only/agree/notes", "name": "Notes", "opens_at": None, "due_at": "2026-10-14T07:00:00Z"},
    ]
    caller.post(f"releases/{release.pk}/move/", {"planned_start_at": "2026-10-22T07:00:00Z"})
    moved = caller.get(f"releases/{release.pk}/dates/")["dates"]
    assert [one["due_at"] for one in moved] == ["2026-10-22T07:00:00Z", "2026-10-21T07:00:00Z"]


def test_an_occurrence_is_skipped(manager: User) -> None:
    release = first()
    body = {"occurs_at": "2026-10-15T07:00:00Z", "reason": "holiday"}
    assert Caller(manager).post("release-groups/train/skip/", body)["release"] == release.pk
    release.refresh_from_db()
    assert (release.state, release.reason) == ("cancelled", "holiday")


def test_a_frozen_start_is_refused_and_the_glass_can_be_broken(manager: User) -> None:
    freeze = Freeze.objects.create(slug="quiet", name="Quiet time", body={"scope": {"everything": True}})
    FreezeWindow.objects.create(freeze=freeze, starts_at=NOW - timedelta(hours=1))
    caller, address = Caller(manager), f"releases/{first().pk}/start/"
    refused = caller.post(address)
    assert (refused.status, refused.code) == (409, "frozen")
    assert caller.post(address, {"break_glass": "a leak"})["state"] == "running"
    assert BreakGlass.objects.get().reason == "a leak"


def test_a_stranger_finds_no_group_and_moves_nothing(stranger: User) -> None:
    caller = Caller(stranger)
    assert caller.get("release-groups/train/dates/").status == 404
    assert caller.post("release-groups/train/skip/", {"occurs_at": "2026-10-15T07:00:00Z"}).status == 404
    assert caller.post(f"releases/{first().pk}/move/", {"planned_start_at": "2026-10-15T07:00:00Z"}).status == 404
    assert caller.post("release-groups/difference/", DOCUMENT).status == 403
    assert ReleaseGroup.objects.get().version == 1
