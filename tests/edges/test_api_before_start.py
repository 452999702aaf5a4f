"""What would stop a release, conflicts and free slots, through the API and the commands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from processes.models import Process, Resource
from processes.services import apply
from releases import bookings
from releases.models import Freeze, FreezeWindow, Release, ReleaseGroup
from releases.services import planning
from tests.edges.calls import Caller

pytestmark = pytest.mark.django_db

SHOP = """
kind: Resource
id: cart
name: Cart
type: service
---
kind: Process
id: shop
name: Shop
resources: [cart]
inputs: {version: {type: string, required: true}}
phases:
  - {id: plan, name: Plan, owners: ["group:qa"], activities: [{id: agree, manual: {instructions: Agree.}}]}
"""
NOW = datetime(2026, 7, 6, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def shop(groups: Any, owner: User) -> Process:
    apply(None, SHOP, now=NOW, publish=True)
    return Process.objects.get()


@pytest.fixture
def train(shop: Process) -> ReleaseGroup:
    return ReleaseGroup.objects.create(slug="train", name="Train", process=shop)


def planned(shop: Process, start: int, end: int, name: str, **more: Any) -> Release:
    release = planning.create_release(
        None,
        process=shop,
        name=name,
        planned_start_at=NOW + start * HOUR,
        planned_end_at=NOW + end * HOUR,
        now=NOW,
        **more,
    )
    release = planning.schedule_release(None, release, now=NOW)
    bookings.book(release, now=NOW)
    return release


def test_a_preflight_tells_each_finding_with_its_code_and_names_only_what_one_may_see(shop, manager, owner):
    one, other = planned(shop, 2, 4, "Spring"), planned(shop, 3, 5, "Summer")
    one.participants.create(user=owner)
    answer = Caller(manager).get(f"releases/{one.pk}/preflight/")
    assert answer["startable"] is False
    assert [(found["code"], found["stops"], found["path"]) for found in answer["findings"]] == [
        ("inputs", True, "version"),
        ("conflict", False, f"R-{other.pk}"),
        ("conflict", False, f"R-{other.pk}"),
    ]
    assert answer["findings"][1]["release"] == {"id": other.pk, "name": "Summer"}
    hidden = Caller(owner).get(f"releases/{one.pk}/preflight/")["findings"][1]
    assert (hidden["path"], hidden["release"]) == ("", None)
    assert "Summer" not in str(hidden)


def test_conflicts_of_a_release_are_counted_even_where_they_may_not_be_seen(shop, manager, owner):
    one, other = planned(shop, 2, 4, "Spring"), planned(shop, 3, 5, "Summer")
    one.participants.create(user=owner)
    found = Caller(manager).get(f"releases/{one.pk}/conflicts/")["results"]
    assert [(entry["kind"], entry["what"], entry["release"]) for entry in found] == [
        ("resource", "cart", other.pk),
        ("group", "qa", other.pk),
    ]
    hidden = Caller(owner).get(f"releases/{one.pk}/conflicts/")["results"]
    assert {(entry["release"], entry["name"]) for entry in hidden} == {(None, "a release you may not see")}


def test_a_groups_next_releases_come_with_their_findings(shop, train, manager):
    planned(shop, 30, 31, "Later", group=train)
    planned(shop, 2, 4, "Sooner", group=train, given={"inputs": {"version": "1"}})
    found = Caller(manager).get("release-groups/train/preflight/")["results"]
    assert [(entry["name"], entry["startable"]) for entry in found] == [("Sooner", True), ("Later", False)]


def test_all_conflicts_between_two_moments_and_for_some(shop, train, manager, stranger):
    one, other = planned(shop, 2, 4, "Spring"), planned(shop, 3, 5, "Summer", group=train)
    caller = Caller(manager)
    answer = caller.get("conflicts/")
    pairs = answer["results"]
    assert answer["complete"]
    assert {(pair["kind"], pair["what"]) for pair in pairs} == {("resource", "cart"), ("group", "qa")}
    assert {entry["release"] for entry in pairs[0]["releases"]} == {one.pk, other.pk}
    assert len(caller.get("conflicts/?resource=cart&group=train")["results"]) == 1
    assert caller.get("conflicts/?resource=mail")["results"] == []
    assert caller.get("conflicts/?after=2030-01-01T00:00:00Z")["results"] == []
    assert Caller(stranger).get("conflicts/")["results"] == []
    wrong = caller.get("conflicts/?after=soon&before=2020-02-31T00:00:00Z")
    assert (wrong.status, wrong.paths) == (400, {"after", "before"})
    assert caller.get("conflicts/?after=2026-01-01T00:00:00Z&before=2029-01-01T00:00:00Z").paths == {"before"}
    assert caller.get("conflicts/?group=ghosts").paths == {"group"}


def test_the_next_free_slot_meets_no_release_and_no_freeze(shop, train, manager, stranger):
    planned(shop, 2, 4, "Spring", group=train)
    freeze = Freeze.objects.create(slug="quiet", name="Quiet", body={"scope": {"services": ["cart"]}})
    FreezeWindow.objects.create(freeze=freeze, starts_at=NOW + 5 * HOUR, ends_at=NOW + 8 * HOUR)
    caller = Caller(manager)
    after = f"after={(NOW + 1 * HOUR).isoformat().replace('+00:00', 'Z')}"

    def free(length: str, more: str = "") -> Any:
        return caller.get(f"free-slot/?resources=cart&length={length}&{after}{more}")["starts_at"]

    def told(hours: int) -> str:
        return (NOW + hours * HOUR).isoformat().replace("+00:00", "Z")

    assert (free("1h"), free("2h"), free("5h")) == (told(1), told(8), told(8))
    assert free("4h", "&group=train") == told(1), "a group that allows overlaps is not in its own way"
    Resource.objects.update(exclusive=True)
    assert free("4h", "&group=train") == told(8), "but only one of its releases may have what is exclusive"
    Resource.objects.update(exclusive=False)
    assert free("2h", f"&before={told(9)}") is None
    wrong = caller.get("free-slot/?resources=cart,mail&length=2h")
    assert (wrong.status, wrong.paths) == (400, {"resources"})
    assert caller.get("free-slot/?resources=cart&length=long").paths == {"length"}
    assert Caller(stranger).get("free-slot/?resources=cart&length=2h").paths == {"resources"}
    Resource.objects.create(slug="mail", name="Mail", type="service")
    assert caller.get(f"free-slot/?resources=mail&length=20h&{after}")["starts_at"] == told(1)


def said(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_commands_tell_the_same(shop, train):
    release = planned(shop, 2, 4, "Spring", group=train)
    text = said("preflight", str(release.pk))
    assert text.splitlines()[0].startswith(f"R-{release.pk} Spring, planned for ")
    assert "  stops inputs: 'version' is required and has no value." in text
    assert said("preflight", "--group", "train") == text == said("preflight")
    assert said("preflight", "--group", "other") == "Nothing is scheduled.\n"
    with pytest.raises(CommandError, match="no release 999"):
        said("preflight", "999")
    start = (NOW + 4 * HOUR).strftime("%Y-%m-%d %H:%M to ")
    assert said("free_slot", "3h", "cart").startswith(start)
    with pytest.raises(CommandError, match="no resource 'cat'"):
        said("free_slot", "3h", "cat")
    assert said("free_slot", "3d", "cart", "--days", "2") == "There is none within 2 days.\n"
