"""Searching the list of releases: filters, words, orders, and turning its pages in both directions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from processes.models import Process
from releases.models import Booking, Participant, Release, ReleaseGroup
from releases.reading.places import Order, slice_of
from releases.reading.search import Search
from tests.edges.pages import KINDS, Reader, publish, start
from tests.fakes import ScriptedRunner, failed

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def process(db: None) -> Process:
    return publish(KINDS)


def make(process: Process, name: str, **more: Any) -> Release:
    return Release.objects.create(process=process, name=name, created_at=MONDAY, **more)


def found(user: User, query: str) -> list[str]:
    """The names in the list, in their order."""
    reader = Reader(user)
    reader.open(f"/releases/?{query}")
    assert reader.status == 200
    return re.findall(r'class="strong lines-2" dir="auto" title="[^"]*">([^<]+)</a>', reader.source)


def test_filters_narrow_the_list(process: Process, manager: User, owner: User) -> None:
    train = ReleaseGroup.objects.create(slug="train", name="Night train", process=process)
    booked = make(process, "Booked", state="scheduled", planned_start_at=MONDAY, planned_end_at=MONDAY, group=train)
    Booking.objects.create(release=booked, what="resource:cart", during=DateTimeTZRange(MONDAY, MONDAY, "[]"))
    joined = make(process, "Joined", planned_start_at=MONDAY + timedelta(days=3))
    Participant.objects.create(release=joined, group=Group.objects.get(name="qa"))
    make(process, "Mine", created_by=manager)
    make(process, "Over", state="failed", started_at=MONDAY, finished_at=MONDAY)
    assert found(manager, "state=scheduled") == ["Booked"]
    assert found(manager, "state=finished") == ["Over"]
    assert found(manager, "state=open") == ["Mine", "Joined", "Booked"]
    assert found(manager, "group=train") == ["Booked"]
    assert found(manager, "kind=ad_hoc") == ["Over", "Mine", "Joined"]
    assert found(manager, "process=move&resource=cart") == ["Booked"]
    assert found(manager, "process=other") == []
    assert found(manager, "who=group:qa") == ["Joined"]
    assert found(manager, "who=me") == ["Mine"]
    assert found(owner, "who=me") == ["Joined"]
    assert found(manager, "since=2026-03-03&until=2026-03-05") == ["Joined"]
    assert found(manager, "until=2026-03-02") == ["Booked"]
    assert found(manager, "q=night+move") == ["Booked"]
    assert found(manager, "q=100%25+_") == []


def test_health_is_a_filter(process: Process, manager: User, engine: ScriptedRunner) -> None:
    engine.script["check"] = [failed()]
    start(process, manager, name="Held")
    start(process, manager, name="Fine")
    assert found(manager, "health=on_hold") == ["Held"]
    assert found(manager, "health=waiting") == ["Fine"]
    assert found(manager, "health=good&state=under_way") == ["Fine", "Held"]


def test_what_is_in_force_is_shown_and_taken_away_by_itself(process: Process, manager: User) -> None:
    make(process, "One")
    reader = Reader(manager)
    text = reader.open("/releases/?state=draft&who=group:qa&sort=name&q=one")
    assert ("State Draft" in text, "Who Qa" in text) == (True, True)
    assert 'href="/releases/?q=one&amp;who=group%3Aqa&amp;sort=name"' in reader.source
    assert '<option value="group:qa" selected>' in reader.source
    assert "Clear" not in reader.open("/releases/")


def test_days_of_the_plan_are_the_reader_s(process: Process, manager: User) -> None:
    make(process, "Late", planned_start_at=datetime(2026, 3, 2, 20, tzinfo=UTC))
    reader = Reader(manager)
    reader.client.cookies["zone"] = "Asia/Tokyo"
    assert "Late" in reader.open("/releases/?since=2026-03-03&until=2026-03-03")
    assert "No release matches" in reader.open("/releases/?until=2026-03-02")


def test_columns_sort_up_and_down_with_what_has_no_value_last(process: Process, manager: User) -> None:
    for number, name in enumerate(("b", "c", "a")):
        make(process, name, planned_start_at=MONDAY + timedelta(days=number))
    make(process, "none")
    assert found(manager, "sort=name") == ["a", "b", "c", "none"]
    assert found(manager, "sort=-name") == ["none", "c", "b", "a"]
    assert found(manager, "sort=planned") == ["b", "c", "a", "none"]
    assert found(manager, "sort=-planned") == ["a", "c", "b", "none"]
    reader = Reader(manager)
    reader.open("/releases/?sort=name")
    assert 'aria-sort="ascending"' in reader.source
    assert 'href="/releases/?sort=-name"' in reader.source


@pytest.mark.parametrize("sort", ["", "name", "-name", "planned", "-planned", "-finished"])
def test_pages_turn_forth_and_back_over_every_row_once(process: Process, sort: str) -> None:
    for number in range(11):
        at = MONDAY + timedelta(days=number // 3) if number % 4 else None
        make(process, f"n{number // 2}", planned_start_at=at)
    order, rows = Order.of(sort), Release.objects.all()
    whole = [one.pk for one in slice_of(rows, order, size=50).rows]
    forth, page = [], slice_of(rows, order, size=2)
    while True:
        forth.append([one.pk for one in page.rows])
        if not page.after:
            break
        page = slice_of(rows, order, size=2, after=page.after)
    back = [forth[-1]]
    while page.before:
        page = slice_of(rows, order, size=2, before=page.before)
        back.insert(0, [one.pk for one in page.rows])
    assert [pk for part in forth for pk in part] == whole
    assert back == forth
    assert len(forth) == 6


@pytest.mark.parametrize(
    "place", ["", "x", "~", "1", "1~", "-1~", "1~x", "1~2026-01-01", "1~9999-12-31T23:59:59+00:00", "\0", "9" * 40]
)
def test_a_place_that_is_none_is_the_first_page(process: Process, manager: User, place: str) -> None:
    make(process, "Alone", planned_start_at=MONDAY)
    for sort in ("", "name", "planned", "-finished"):
        for way in ("after", "before"):
            reader = Reader(manager)
            reader.client.get("/releases/", {"sort": sort, way: place})
            assert reader.client.get("/releases/", {"sort": sort, way: place}).status_code == 200


def test_the_address_of_a_search_is_always_the_same() -> None:
    one = Search.of({"sort": "name", "q": "  a   b ", "state": "draft", "health": "bad", "other": "x"})
    assert one.query() == "q=a+b&state=draft&sort=name"
    assert Search.of({"q": "a b", "state": "draft", "sort": "name"}) == one


def test_the_page_refreshing_its_search_says_its_address(process: Process, manager: User) -> None:
    reader = Reader(manager)
    reader.open("/releases/?q=x&state=&sort=", HX_Target="div#list", HX_Source="form#search")
    assert reader.headers["HX-Replace-Url"] == "/releases/?q=x"


def test_a_stranger_is_offered_no_names_to_filter_by(process: Process, stranger: User) -> None:
    ReleaseGroup.objects.create(slug="train", name="Night train", process=process)
    make(process, "One")
    reader = Reader(stranger)
    for query in ("", "q=night", "group=train", "process=move", "sort=name"):
        text = reader.open(f"/releases/?{query}")
        assert ("Night" in text, "Database" in text, "One" in text) == (False, False, False)
