"""The page of a release that has not started says what would stop it; the list says how much does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from releases import bookings
from releases.models import Release
from releases.services import planning
from releases.services.checking import check_release
from tests.edges.pages import Reader, publish

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


@pytest.fixture
def two(groups, owner):
    shop, now = publish(SHOP), timezone.now()
    made = []
    for name in ("Spring", "Summer"):
        start = now + timedelta(hours=2)
        release = planning.create_release(
            None, process=shop, name=name, planned_start_at=start, planned_end_at=start + timedelta(hours=2), now=now
        )
        release = planning.schedule_release(None, release, now=now)
        bookings.book(release, now=now)
        made.append(release)
    return made


def test_its_page_tells_what_would_stop_it_and_names_other_releases_to_those_who_may_see_them(two, manager, owner):
    one, _ = two
    one.participants.create(user=owner)
    page = Reader(manager).open(f"/releases/{one.pk}/")
    assert "Before it starts 1 thing would stop it" in page
    assert "Stops it 'version' is required and has no value. Give it a value." in page
    assert "Note Another release uses 'cart' at the same time. Look for a free slot. Summer Until" in page
    assert page.index("Stops it") < page.index("Note")
    hidden = Reader(owner).open(f"/releases/{one.pk}/")
    assert "Another release uses 'cart'" in hidden
    assert "Summer" not in hidden


def test_what_lacks_nothing_says_so_and_what_is_called_off_says_nothing(two, manager):
    one, other = two
    planning.cancel_release(None, other, reason="no", now=timezone.now())
    bookings.book(Release.objects.get(pk=other.pk), now=timezone.now())
    planning.edit_release(None, one, {"given": {"inputs": {"version": "1"}}}, now=timezone.now())
    assert "Before it starts Nothing would stop it" in Reader(manager).open(f"/releases/{one.pk}/")
    assert "Before it starts" not in Reader(manager).open(f"/releases/{other.pk}/")


def test_the_list_tells_how_much_stops_what_is_scheduled(two, manager):
    assert "stops it" not in Reader(manager).open("/releases/")
    check_release(two[0].pk, now=timezone.now())
    assert Reader(manager).open("/releases/").count("1 thing stops it") == 1
