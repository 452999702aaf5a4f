"""Saved views of the list of releases, and one verb for several releases at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from guardian.shortcuts import assign_perm

from config.models import Event
from processes.models import Process
from releases.models import Release, SavedView
from releases.services import saved_views
from tests.edges.calls import Caller
from tests.edges.pages import KINDS, Reader, plan, publish, start
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db


@pytest.fixture
def process(db: None) -> Process:
    return publish(KINDS)


def planned(process: Process, name: str, state: str = "scheduled", **more: Any) -> Release:
    now = timezone.now()
    return Release.objects.create(
        process=process, name=name, state=state, created_at=now, planned_start_at=now + timedelta(days=5), **more
    )


def states() -> dict[str, str]:
    return dict(Release.objects.values_list("name", "state"))


def test_a_search_is_kept_under_a_name_renamed_and_thrown_away(process: Process, manager: User) -> None:
    plan(process, manager)
    reader = Reader(manager)
    assert "Save view" in reader.open("/releases/?state=draft&sort=name")
    reader.send("/releases/views/", name="  My   drafts ", query="sort=name&state=draft&bad=1")
    view = SavedView.objects.get()
    assert (reader.location, view.name) == ("/releases/?state=draft&sort=name", "My drafts")
    assert ("My drafts" in reader.text, "Edit view" in reader.text, "Save view" in reader.text) == (True, True, False)
    reader.send(f"/releases/views/{view.pk}/rename/", name="Sketches")
    assert "Sketches" in reader.text
    reader.send(f"/releases/views/{view.pk}/delete/")
    assert ("Sketches" in reader.text, SavedView.objects.count()) == (False, 0)
    told = list(Event.objects.filter(subject_type="savedview").values_list("verb", flat=True))
    assert told == ["view.saved", "view.renamed", "view.deleted"]


def test_what_is_wrong_with_a_view_is_said_on_the_list(process: Process, manager: User) -> None:
    reader = Reader(manager)
    assert "A view needs a name" in reader.send("/releases/views/", name=" ", query="state=draft")
    assert reader.location == "/releases/?state=draft"
    long = f"q={'é' * 190}&group={'é' * 190}&who={'é' * 190}"
    assert "too long" in reader.send("/releases/views/", name="x", query=long)
    saved_views.save_view(manager, name="One", query="", now=timezone.now())
    two = saved_views.save_view(manager, name="Two", query="", now=timezone.now())
    assert "You have a view 'One' already" in reader.send(f"/releases/views/{two.pk}/rename/", name="One")
    reader.send("/releases/views/", name="One", query="state=failed")
    assert SavedView.objects.get(name="One").query == "state=failed"
    for number in range(saved_views.MOST):
        SavedView.objects.get_or_create(owner=manager, name=f"n{number}", defaults={"created_at": timezone.now()})
    assert "Delete one" in reader.send("/releases/views/", name="More", query="")


def test_views_are_their_owner_s_alone(process: Process, manager: User, stranger: User) -> None:
    view = saved_views.save_view(manager, name="Secret plan", query="state=draft", now=timezone.now())
    reader = Reader(stranger)
    assert "Secret plan" not in reader.open("/releases/?state=draft")
    for verb in ("rename", "delete"):
        reader.send(f"/releases/views/{view.pk}/{verb}/", name="Mine")
        assert reader.status == 404
        reader.open(f"/releases/views/{view.pk}/{verb}/")
        assert reader.status == 405
    view.refresh_from_db()
    assert view.name == "Secret plan"


def test_several_releases_are_called_off_each_with_its_own_outcome(process: Process, manager: User) -> None:
    one, two, over = planned(process, "One"), planned(process, "Two"), planned(process, "Over", "cancelled")
    reader = Reader(manager)
    chosen = [one.pk, two.pk, over.pk, "x"]
    assert "Cancelling needs a reason" in reader.send("/releases/do/", verb="cancel", release=chosen)
    text = reader.send("/releases/do/", verb="cancel", reason="Trade fair", release=chosen, back="sort=name&x=1")
    assert reader.location == "/releases/?sort=name"
    assert "Cancelled One, Two." in text
    assert "Over: A release that is cancelled cannot be cancelled." in text
    assert set(states().values()) == {"cancelled"}
    assert Release.objects.get(pk=one.pk).reason == "Trade fair"
    assert "Scheduled One, Two, Over." in reader.send("/releases/do/", verb="schedule", release=chosen)
    assert set(states().values()) == {"scheduled"}


def test_several_are_paused_and_go_on(process: Process, manager: User, engine: ScriptedRunner) -> None:
    runs = [start(process, manager, name=name) for name in ("One", "Two")]
    reader = Reader(manager)
    assert "Paused One 1.2.3, Two 1.2.3." in reader.send("/releases/do/", verb="pause", release=[r.pk for r in runs])
    assert set(states().values()) == {"paused"}
    assert "Resumed" in reader.send("/releases/do/", verb="resume", release=[runs[0].pk])
    assert states() == {"One": "running", "Two": "paused"}
    reader.send("/releases/do/", verb="abort", reason="x", release=[runs[0].pk])
    assert reader.status == 404


def test_each_release_asks_for_its_own_permission(process: Process, owner: User, stranger: User) -> None:
    mine, seen, hidden = (planned(process, name) for name in ("Mine", "Seen", "Hidden"))
    for permission in ("operate_release", "view_release"):
        assign_perm(permission, owner, mine)
    assign_perm("view_release", owner, seen)
    reader = Reader(owner)
    reader.open("/releases/?sort=name")
    assert [f'value="{one.pk}"' in reader.source for one in (mine, seen, hidden)] == [True, False, False]
    text = reader.send("/releases/do/", verb="cancel", reason="No", release=[mine.pk, seen.pk, hidden.pk])
    assert ("Cancelled Mine." in text, "Seen: You need the permission" in text, "Hidden" in text) == (True, True, False)
    assert states() == {"Mine": "cancelled", "Seen": "scheduled", "Hidden": "scheduled"}
    assert "no longer there" in Reader(stranger).send("/releases/do/", verb="cancel", reason="x", release=[mine.pk])


def test_nothing_can_be_chosen_where_nothing_may_be_done(process: Process, owner: User) -> None:
    assign_perm("view_release", owner, planned(process, "Seen"))
    reader = Reader(owner)
    reader.open("/releases/?sort=name")
    assert "Seen" in reader.text
    assert 'id="bulk"' not in reader.source


def test_views_are_kept_through_the_api_too(manager: User, stranger: User) -> None:
    caller = Caller(manager)
    view = caller.post("saved-views/", {"name": "Late", "query": "?sort=name&state=missed"})
    assert (view.status, view["query"]) == (201, "state=missed&sort=name")
    address = f"saved-views/{view['id']}/"
    assert caller.patch(address, {"name": "Too late"})["name"] == "Too late"
    assert [one["name"] for one in caller.get("saved-views/")["results"]] == ["Too late"]
    assert Caller(stranger).delete(address).status == 404
    assert caller.delete(address).status == 204
