"""The pages of release groups: what is due when, what stops it, moving and skipping with what that does shown first.

Weekly, Thursdays at nine in Berlin, for two days.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from config.models import Event
from releases.groups import save_group
from releases.models import Freeze, FreezeWindow, Release, ReleaseGroup
from releases.services.checking import check_release
from tests.edges.pages import Reader, page_of, publish
from tests.edges.test_pages_costs import queries

pytestmark = pytest.mark.django_db

SHOP = """
kind: Process
id: shop
name: Shop
inputs: {version: {type: string, required: true}}
phases:
  - {id: only, name: Only, activities: [{id: agree, manual: {instructions: Look.}}]}
"""
RULE = {"rrule": "FREQ=WEEKLY;BYDAY=TH", "start": "2026-01-08T09:00", "timezone": "Europe/Berlin", "duration": "2d"}
DOCUMENT: dict[str, Any] = {"kind": "ReleaseGroup", "id": "train", "name": "Train", "process": "shop", "cadence": RULE}
BERLIN = ZoneInfo("Europe/Berlin")
PAGE = "/groups/train/"


@pytest.fixture(autouse=True)
def train(groups: Any) -> ReleaseGroup:
    """The group, planned."""
    publish(SHOP)
    return save_group(None, DOCUMENT, now=timezone.now())[0]


def releases() -> list[Release]:
    return list(Release.objects.exclude(planned_start_at=None).order_by("planned_start_at"))


def typed(moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo('UTC')):%Y-%m-%dT%H:%M}"


def seeing(person: User, train: ReleaseGroup, *permissions: str) -> Reader:
    """The person with these permissions on the group alone."""
    for name in permissions:
        permission = Permission.objects.get(codename=name)
        person.releasegroupuserpermission_set.create(permission=permission, content_object=train)
    return Reader(person)


def test_the_list_tells_cadence_next_date_and_how_many_would_be_stopped(manager: User) -> None:
    check_release(releases()[0].pk, now=timezone.now())
    text = Reader(manager).open("/groups/")
    assert "Train Every Thursday at 09:00 (Europe/Berlin), for 2 days Next Thu" in text
    assert f"{len(releases())} planned" in text
    assert "1 of the next 5 would be stopped" in text


def test_a_group_tells_its_dates_in_both_zones_with_what_stops_each(manager: User) -> None:
    first = releases()[0]
    check_release(first.pk, now=timezone.now())
    text = Reader(manager).open(PAGE)
    assert first.planned_start_at is not None
    there = first.planned_start_at.astimezone(BERLIN)
    assert re.search(rf"Thu {there.day} {there:%b}( \d+)?, 09:00 . Sat .*?{there:%Z}", text)
    assert re.search(r"Thu .*?, 0[78]:00 . Sat .*? UTC", text)
    assert "1 thing stops it 'version' is required and has no value." in text
    assert "More dates" in text
    assert "More dates" not in Reader(manager).open(f"{PAGE}?dates=more")


def test_dates_that_were_bent_say_so(manager: User) -> None:
    day = (timezone.now() + timedelta(days=3)).date()
    day += timedelta(days=day.weekday() == 3)
    rule = {**RULE, "include": [day.isoformat()]}
    save_group(None, {**DOCUMENT, "cadence": rule}, now=timezone.now())
    assert "Extra date. An extra date beside the rule." in Reader(manager).open(PAGE)


def test_a_group_without_a_cadence_and_one_without_releases_say_so(manager: User, train: ReleaseGroup) -> None:
    document = {key: value for key, value in DOCUMENT.items() if key != "cadence"}
    save_group(None, {**document, "id": "hand", "name": "By hand"}, now=timezone.now())
    text = Reader(manager).open("/groups/hand/")
    assert "No cadence: its releases are created by hand." in text
    assert "No releases yet" in text
    assert "No cadence" in Reader(manager).open("/groups/")


def test_a_parent_that_lost_its_cadence_is_told_and_breaks_nothing(manager: User, train: ReleaseGroup) -> None:
    derived = {"derive": {"group": "train", "offsets": ["-1 WE"]}, "timezone": "Europe/Berlin", "duration": "2h"}
    save_group(None, {**DOCUMENT, "id": "plan", "name": "Plan", "cadence": derived}, now=timezone.now())
    assert "Derived." in Reader(manager).open("/groups/plan/")
    ReleaseGroup.objects.filter(pk=train.pk).update(body={})
    reader = Reader(manager)
    assert "Its dates cannot be told" in reader.open("/groups/plan/")
    assert reader.status == 200


def test_strangers_find_no_group_and_those_who_see_one_find_only_that(train: ReleaseGroup, stranger: User) -> None:
    reader = Reader(stranger)
    assert "Train" not in reader.open("/groups/")
    assert "No release groups" in reader.text
    told = Event.objects.count()
    at = releases()[0].occurs_at
    for address in (PAGE, f"{PAGE}skip/?at={at:%Y-%m-%dT%H:%M}", "/groups/nowhere/", "/freezes/nowhere/lift/"):
        reader.open(address)
        assert (address, reader.status) == (address, 404)
        reader.send(address, reason="x")
        assert reader.status in (404, 405)
    reader.send("/stop-the-line/", scope="everything", reason="x")
    assert (reader.status, Event.objects.count(), Freeze.objects.count()) == (403, told, 0)
    save_group(None, {**DOCUMENT, "id": "other", "name": "Other"}, now=timezone.now())
    text = seeing(User.objects.get(pk=stranger.pk), train, "view_releasegroup").open("/groups/")
    assert "Train" in text
    assert "Other" not in text


def test_who_may_only_look_is_offered_nothing_and_refused(train: ReleaseGroup, stranger: User) -> None:
    reader = seeing(stranger, train, "view_releasegroup")
    reader.open(PAGE)
    assert "skip/" not in reader.source
    assert "move/" not in reader.source
    first = releases()[0]
    text = reader.open(f"{PAGE}skip/?at={first.occurs_at:%Y-%m-%dT%H:%M}")
    assert (reader.status, "You need the permission" in text) == (403, True)
    reader.open(page_of(first, "move/"))
    assert reader.status == 403
    reader.send(page_of(first, "move/"), planned_start_at=typed(timezone.now()), confirm="yes")
    assert (reader.status, Release.objects.get(pk=first.pk).edits) == (403, first.edits)


def test_who_may_only_change_the_group_learns_nothing_of_the_releases_that_they_may_not_skip(
    train: ReleaseGroup, stranger: User
) -> None:
    reader = seeing(stranger, train, "change_releasegroup")
    Release.objects.update(name="Secret")
    text = reader.open(PAGE)
    assert ("Planned; you may not see it" in text, "skip/" in reader.source) == (True, False)
    Release.objects.latest("occurs_at").delete()
    assert "skip/" in reader.open(f"{PAGE}?dates=more") + reader.source
    text = reader.open(f"{PAGE}skip/?at={releases()[0].occurs_at:%Y-%m-%dT%H:%M}")
    assert (reader.status, "Secret" in text, "You need the permission" in text) == (403, False, True)


def test_skipping_says_what_it_does_and_does_it_once(manager: User) -> None:
    first, told = releases()[0], Event.objects.count()
    address = f"{PAGE}skip/?at={first.occurs_at:%Y-%m-%dT%H:%M}"
    reader = Reader(manager)
    assert f"The release {first} is called off." in reader.open(address)
    assert (Event.objects.count(), Release.objects.get(pk=first.pk).state) == (told, "scheduled")
    for _ in range(2):
        reader.send(address, reason="Nobody is there", once="one")
        assert reader.location == PAGE
    assert "Cancelled Nobody is there" in reader.text
    reader.send(address, reason="again")
    assert reader.status == 409


def test_a_date_without_a_release_is_left_out_of_the_cadence(manager: User, train: ReleaseGroup) -> None:
    at = releases()[-1].occurs_at
    assert at is not None
    far = (at.astimezone(BERLIN) + timedelta(days=28)).astimezone(ZoneInfo("UTC"))
    reader = Reader(manager)
    address = f"{PAGE}skip/?at={far:%Y-%m-%dT%H:%M}"
    assert "so the date is left out of the cadence" in reader.open(address)
    reader.send(address)
    train.refresh_from_db()
    assert train.body["cadence"]["exclude"] == [far.date().isoformat()]


@pytest.mark.parametrize("at", ["", "soon", "0001-01-01T00:00", "9999-12-31T23:59", "2026-01-08T03:00", "%00"])
def test_skipping_what_is_no_date_is_refused(at: str, manager: User) -> None:
    reader = Reader(manager)
    reader.open(f"{PAGE}skip/?at={at}")
    assert reader.status == 400
    reader.send(f"{PAGE}skip/?at={at}", reason="x")
    assert reader.status == 400


def test_moving_one_shows_what_it_does_before_it_is_done(manager: User) -> None:
    first, told = releases()[0], Event.objects.count()
    assert first.planned_start_at is not None
    to = first.planned_start_at + timedelta(hours=5)
    sent = {"planned_start_at": typed(to), "scope": "this", "seen": first.edits}
    reader = Reader(manager)
    assert "Just this release" in reader.open(page_of(first, "move/"))
    text = reader.send(page_of(first, "move/"), **sent, look="yes")
    assert "What that does" in text
    assert "Stops it 'version' is required" in text
    assert (Event.objects.count(), releases()[0].planned_start_at) == (told, first.planned_start_at)
    reader.send(page_of(first, "move/"), **sent, confirm="yes")
    assert (reader.location, releases()[0].planned_start_at) == (page_of(first), to)
    assert "Moved. It is planned for" in reader.open(PAGE)
    reader.send(page_of(first, "move/"), **sent, confirm="yes")
    assert (reader.status, "Somebody has changed this release meanwhile." in reader.text) == (409, True)


def test_moving_all_lists_every_release_and_changes_the_cadence(manager: User, train: ReleaseGroup) -> None:
    before = releases()
    start = before[1].planned_start_at
    assert start is not None
    sent = {"planned_start_at": typed(start + timedelta(days=1)), "scope": "all"}
    reader = Reader(manager)
    text = reader.send(page_of(before[1], "move/"), **sent, look="yes")
    assert text.count(" moves ") > 3
    following = before[2].planned_start_at
    assert following is not None
    assert f"Fri {(following + timedelta(days=1)).day} " in text
    assert [one.planned_start_at for one in releases()] == [one.planned_start_at for one in before]
    reader.send(page_of(before[1], "move/"), **sent, confirm="yes")
    train.refresh_from_db()
    assert "FR" in train.body["cadence"]["rrule"]


@pytest.mark.parametrize("start", ["", "soon", "0001-01-01T00:00", "9999-12-31T23:59"])
def test_moving_to_no_time_is_said_beside_its_box(start: str, manager: User) -> None:
    reader = Reader(manager)
    for scope in ("this", "all", "none"):
        reader.send(page_of(releases()[0], "move/"), planned_start_at=start, scope=scope, seen="x", confirm="yes")
        assert reader.status == 400
        assert 'id="planned_start_at"' in reader.source
        assert "data-first-fault" in reader.source
    first = releases()[0]
    assert first.planned_start_at is not None
    reader.send(page_of(first, "move/"), planned_start_at=typed(first.planned_start_at), scope="none")
    assert "'none' is not known." in reader.text


def test_a_freeze_that_applies_is_on_the_lists_and_is_lifted_there(manager: User, stranger: User) -> None:
    row = Freeze.objects.create(slug="quiet", name="Quiet time", body={"scope": {"groups": ["train"]}})
    FreezeWindow.objects.create(freeze=row, starts_at=timezone.now() - timedelta(hours=1), ends_at=None)
    for address in ("/", "/groups/", PAGE):
        assert "Quiet time It stops group train, until it is lifted." in Reader(manager).open(address)
    assert "Quiet time" not in Reader(stranger).open("/")
    reader = Reader(manager)
    assert "Lift this freeze?" in reader.open("/freezes/quiet/lift/")
    assert "A reason is required." in reader.send("/freezes/quiet/lift/", reason=" ")
    assert "Quiet time" not in reader.send("/freezes/quiet/lift/", reason="It is over")
    reader.send("/freezes/quiet/lift/", reason="Again")
    assert reader.status == 409


def test_a_group_tells_of_the_freezes_that_its_releases_may_be_in_and_of_no_others(manager: User) -> None:
    scopes = {"other": {"groups": ["ferry"]}, "tagged": {"tags": ["deployment"]}, "whole": {"everything": True}}
    for slug, scope in scopes.items():
        row = Freeze.objects.create(slug=slug, name=f"The {slug}", body={"scope": scope})
        FreezeWindow.objects.create(freeze=row, starts_at=timezone.now() - timedelta(hours=1), ends_at=None)
    told = {page: re.findall(r"The (\w+) It stops", Reader(manager).open(page)) for page in ("/groups/", PAGE)}
    assert (sorted(told["/groups/"]), sorted(told[PAGE])) == (["other", "tagged", "whole"], ["tagged", "whole"])


def test_the_line_is_stopped_for_some_groups_or_all(manager: User) -> None:
    reader = Reader(manager)
    assert "Stop the line" in reader.open("/")
    assert "Train" in reader.open("/stop-the-line/")
    text = reader.send("/stop-the-line/", scope="groups", groups="other", until="soon")
    assert reader.status == 400
    for words in ("Choose at least one", "A reason is required.", "'soon' is not a date and time."):
        assert words in text
    text = reader.send("/stop-the-line/", scope="groups", groups="train", reason="Cart is down")
    assert "Line stopped: Cart is down It stops group train, until it is lifted." in text
    text = reader.send("/stop-the-line/", scope="everything", reason="All is down", until="2100-01-01T00:00")
    assert "more than ten years away" in text
    until = typed(timezone.now() + timedelta(hours=2))
    assert "It stops everything, until" in reader.send("/stop-the-line/", scope="everything", reason="x", until=until)
    assert Freeze.objects.count() == 2


def test_pages_cost_the_same_for_one_group_and_for_many(manager: User, train: ReleaseGroup, stranger: User) -> None:
    readers = [Reader(manager), seeing(stranger, train, "view_releasegroup", "operate_releasegroup")]
    addresses = ("/groups/", PAGE)
    check_release(releases()[0].pk, now=timezone.now())
    freeze = Freeze.objects.create(slug="quiet", name="Quiet", body={"scope": {"groups": ["train"]}})
    at = timezone.now() - timedelta(hours=1)
    FreezeWindow.objects.create(freeze=freeze, starts_at=at, ends_at=None)
    few = [queries(reader, address) for reader in readers for address in addresses]
    for number in range(6):
        group = save_group(None, {**DOCUMENT, "id": f"more-{number}", "name": f"More {number}"}, now=timezone.now())[0]
        row = Freeze.objects.create(slug=f"quiet-{number}", name="Quiet", body={"scope": {"groups": [group.slug]}})
        FreezeWindow.objects.create(freeze=row, starts_at=at, ends_at=None)
        seeing(stranger, group, "view_releasegroup")
    for release in releases():
        check_release(release.pk, now=timezone.now())
    assert [queries(reader, address) for reader in readers for address in addresses] == few
