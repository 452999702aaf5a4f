"""An exception is for the freeze as it was when asked for: with another scope or window it is void."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from config.errors import Conflict
from config.models import Event
from releases.freeze_documents import save_freeze
from releases.freezes import blocks
from releases.models import Freeze, FreezeException, Release
from releases.scopes import Subject
from releases.services.exempting import ask_exception, grant_exception, withdraw_exception
from releases.services.freezing import lift_freeze
from tests.builders import MONDAY, start
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ONE = "{id: shop, phases: [{id: a, name: A, activities: [{id: b, manual: {instructions: Look.}}]}]}"
QUIET: dict[str, Any] = {
    "kind": "Freeze",
    "id": "quiet",
    "name": "Quiet time",
    "scope": {"tags": ["deployment"]},
    "window": {"start": "2026-03-01T00:00", "end": "2026-04-01T00:00", "timezone": "UTC"},
}
WIDER = {"scope": {"everything": True}}
LONGER = {"window": {**QUIET["window"], "end": "2026-05-01T00:00"}}


def quiet(*, now: datetime = MONDAY, **change: Any) -> Freeze:
    """Write the freeze, perhaps with something changed."""
    return save_freeze(None, {**QUIET, **change}, now=now)[0]


@pytest.fixture
def release(engine: ScriptedRunner) -> Release:
    return start(ONE)


def asked(release: Release, by: User, *, days: int = 300) -> FreezeException:
    return ask_exception(by, quiet(), release=release, reason="Fix", expires_at=MONDAY + days * DAY, now=MONDAY)


def granted(release: Release, by: User, **more: Any) -> FreezeException:
    return grant_exception(None, asked(release, by, **more), now=MONDAY)


def is_blocked(release: Release, at: datetime) -> bool:
    subject = Subject(group="", process="shop", tags=frozenset({"deployment"}))
    return bool(blocks(subject, at=at, release=release))


@pytest.mark.parametrize("change", [WIDER, LONGER], ids=["scope", "window"])
def test_a_granted_one_is_void_when_the_freeze_has_another_scope_or_window(release, manager, change):
    exception = granted(release, manager)
    assert not is_blocked(release, MONDAY + HOUR)
    quiet(now=MONDAY + HOUR, **change)
    exception.refresh_from_db()
    assert is_blocked(release, MONDAY + HOUR)
    assert exception.state == "void"
    assert "changed" in exception.void_reason
    event = Event.objects.get(verb="freeze_exception.voided", subject_id=exception.pk)
    assert (event.before, event.after, event.release_id) == ({"state": "granted"}, {"state": "void"}, release.pk)
    assert event.reason == exception.void_reason


@pytest.mark.parametrize(
    "change",
    [{}, {"name": "Quiet"}, {"description": "Year end"}, {"in_flight": "hold"}],
    ids=["0", "name", "words", "in"],
)
def test_whatever_else_changes_about_the_freeze_it_holds(release, manager, change):
    exception = granted(release, manager)
    quiet(now=MONDAY + HOUR, **change)
    exception.refresh_from_db()
    assert (exception.state, exception.void_reason) == ("granted", "")
    assert not is_blocked(release, MONDAY + HOUR)


def test_lifting_a_freeze_leaves_its_exceptions(release, manager):
    exception = granted(release, manager)
    lift_freeze(None, exception.freeze, now=MONDAY + HOUR, reason="over")
    exception.refresh_from_db()
    assert exception.state == "granted"


def test_one_that_waits_is_void_too_and_asked_for_again(release, manager):
    exception = asked(release, manager)
    freeze = quiet(now=MONDAY + HOUR, **WIDER)
    with pytest.raises(Conflict, match="void"):
        grant_exception(None, exception, now=MONDAY + HOUR)
    with pytest.raises(Conflict, match="void"):
        withdraw_exception(None, exception, now=MONDAY + HOUR)
    again = ask_exception(manager, freeze, release=release, reason="Still", expires_at=MONDAY + DAY, now=MONDAY + HOUR)
    grant_exception(None, again, now=MONDAY + HOUR)
    assert not is_blocked(release, MONDAY + HOUR)


def test_what_was_void_stays_so_when_the_freeze_is_changed_back(release, manager):
    exception = granted(release, manager)
    quiet(now=MONDAY + HOUR, **WIDER)
    quiet(now=MONDAY + 2 * HOUR)
    exception.refresh_from_db()
    assert exception.state == "void"


def test_what_is_over_stays_as_it_was(release, manager):
    expired = granted(release, manager, days=1)
    taken_back = withdraw_exception(None, granted(release, manager), now=MONDAY)
    quiet(now=MONDAY + 2 * DAY, **WIDER)
    for exception, state in ((expired, "granted"), (taken_back, "withdrawn")):
        exception.refresh_from_db()
        assert exception.state == state
