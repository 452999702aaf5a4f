"""The calendar's pages: what each view shows to whom, filters, zones, what cannot be read, and what it costs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import assign_perm

from calendar_app.reading import hue_of
from processes.models import Process, Resource
from releases.freeze_documents import save_freeze
from releases.groups import save_group
from releases.models import Booking, Freeze, Participant, Release, ReleaseGroup
from tests.edges.pages import Reader, page_of
from tests.trains import DOCUMENT, NOW, WEEKLY, publish_shop

pytestmark = pytest.mark.django_db
VIEWS = ("month", "week", "day", "quarter", "list")
JUNE = "/calendar/?date=2026-06-04"


@pytest.fixture(autouse=True)
def on_the_first_of_june() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def shop() -> Process:
    return publish_shop()


@pytest.fixture
def train(shop: Process) -> ReleaseGroup:
    """Thursdays at nine in Berlin from 4 June on, for two days; its calendar has Corpus Christi on that day."""
    rule = {**WEEKLY, "holidays": {"calendar": "DE-BY"}}
    return save_group(None, {**DOCUMENT, "cadence": rule}, now=NOW)[0]


def planned(shop: Process, name: str, start: str, hours: float = 1, **more: Any) -> Release:
    begins = datetime.fromisoformat(f"2026-06-{start}").replace(tzinfo=UTC)
    ends = begins + timedelta(hours=hours)
    values = {"state": "draft", "created_at": NOW, "planned_start_at": begins, "planned_end_at": ends, **more}
    return Release.objects.create(process=shop, name=name, **values)


def books(release: Release, *whats: str) -> None:
    during = DateTimeTZRange(release.planned_start_at, release.planned_end_at)
    Booking.objects.bulk_create(Booking(release=release, what=what, during=during) for what in whats)


def names(reader: Reader, *wanted: str) -> set[str]:
    return {name for name in wanted if name in reader.text}


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_shows_the_releases_of_its_days(
    view: str, train: ReleaseGroup, shop: Process, manager: User
) -> None:
    planned(shop, "Hotfix", "04T12:00")
    planned(shop, "Elsewhen", "04T12:00", planned_start_at="2027-06-04T12:00Z", planned_end_at=None)
    reader = Reader(manager)
    text = reader.open(f"{JUNE}&view={view}")
    assert reader.status == 200
    assert names(reader, "Train 2026-06-04", "Hotfix", "Elsewhen") == {"Train 2026-06-04", "Hotfix"}
    assert "Scheduled" in text
    assert "Draft" in text


def test_days_off_and_freezes_are_drawn_with_their_names(train: ReleaseGroup, manager: User) -> None:
    window = {"start": "2026-06-10T00:00", "end": "2026-06-12T00:00", "timezone": "UTC"}
    save_freeze(
        None,
        {"kind": "Freeze", "id": "quiet", "name": "Quiet time", "scope": {"everything": True}, "window": window},
        now=NOW,
    )
    reader = Reader(manager)
    for view in ("month", "quarter", "list"):
        assert "Freeze Quiet time" in reader.open(f"{JUNE}&view={view}")
    assert "Corpus Christi" in reader.open(JUNE)
    month = reader.open("/calendar/?date=2026-06-11&view=month")
    assert "Wednesday 10 June, 0 releases, frozen" in month
    assert "12 June, 1 release, frozen" not in month
    assert "Wed 10 Jun, 00:00 \N{EN DASH} Fri 12 Jun, 00:00" in month, "what lies on the chosen day is told in full"
    assert "Quiet time" not in reader.open("/calendar/?date=2026-06-13&view=day")
    assert "Quiet time" in reader.open("/calendar/?date=2026-06-11&view=day")


def test_a_freeze_of_other_groups_is_left_out_when_one_is_chosen(train: ReleaseGroup, manager: User) -> None:
    save_group(None, {**DOCUMENT, "id": "ferry", "name": "Ferry"}, now=NOW)
    window = {"start": "2026-06-10T00:00", "end": "2026-06-12T00:00", "timezone": "UTC"}
    document = {"kind": "Freeze", "id": "quiet", "name": "Quiet time", "scope": {"groups": ["ferry"]}}
    save_freeze(None, {**document, "window": window}, now=NOW)
    reader = Reader(manager)
    assert "Quiet time" in reader.open(JUNE)
    assert "Quiet time" in reader.open(f"{JUNE}&group=ferry")
    assert "Quiet time" not in reader.open(f"{JUNE}&group=train")


def test_filters_narrow_what_is_shown(train: ReleaseGroup, shop: Process, manager: User, owner: User) -> None:
    one, two = planned(shop, "First", "04T12:00"), planned(shop, "Second", "05T12:00", state="cancelled")
    books(one, "resource:cart", "user:owner")
    Participant.objects.create(release=two, group=Group.objects.get(name="qa"))
    reader = Reader(manager)
    shown = {
        "group=train": {"Train 2026"},
        "state=draft": {"First"},
        "state=draft&state=cancelled": {"First", "Second"},
        "kind=ad-hoc": {"First", "Second"},
        "kind=series": {"Train 2026"},
        "resource=cart": {"First"},
        "owner=user:owner": {"First"},
        "owner=group:qa": {"Second"},
        "owner=user:owner&owner=group:qa": {"First", "Second"},
        "tag=customer-facing": {"First", "Second", "Train 2026"},
        "tag=internal": set(),
        "tag=customer-facing&kind=ad-hoc&state=draft": {"First"},
    }
    for query, expected in shown.items():
        reader.open(f"{JUNE}&view=list&{query}")
        assert (query, names(reader, "First", "Second", "Train 2026")) == (query, expected)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("view=decade", "There is no view 'decade'."),
        ("date=yesterday", "'yesterday' is not a date."),
        ("date=0001-01-01", "The calendar reaches from 1971 to 2199."),
        ("date=9999-12-31&view=quarter", "The calendar reaches from 1971 to 2199."),
        ("state=on_fire", "There is no state 'on_fire'."),
        ("kind=%00", ""),
        ("group=nothing", "There is no release group 'nothing', or you may not see it."),
        ("owner=ann", "'ann' is no owner."),
        ("view=list&after=here", "This place in the list is not known."),
        ("view=list&after=2026-06-04T00:00:00_" + "9" * 40, "This place in the list is not known."),
        ("resource=" + "x" * 5000, ""),
        ("tag=%27%22%3Cb%3E", ""),
    ],
)
def test_what_cannot_be_read_is_told_and_nothing_fails(
    query: str, told: str, train: ReleaseGroup, manager: User
) -> None:
    reader = Reader(manager)
    for view in VIEWS:
        text = reader.open(f"/calendar/?view={view}&{query}")
        assert (reader.status, told in text) == (200, True)
        assert "<b>" not in reader.source.split("</form>")[1].split("cal-end")[0]


def test_times_are_in_the_reader_s_zone_or_the_group_s_and_say_so(train: ReleaseGroup, manager: User) -> None:
    reader = Reader(manager)
    reader.client.cookies["zone"] = "Asia%2FTokyo"
    text = reader.open(f"{JUNE}&view=list&group=train")
    assert "Thu 4 Jun, 16:00 \N{EN DASH} Sat 6 Jun, 16:00" in text
    assert "Asia/Tokyo · Europe/Berlin" in text
    text = reader.open(f"{JUNE}&view=list&group=train&zone=group")
    assert "Thu 4 Jun, 09:00 \N{EN DASH} Sat 6 Jun, 09:00" in text
    assert "Asia/Tokyo" in reader.open(f"{JUNE}&zone=group")


def test_the_list_goes_on_where_its_page_ended(shop: Process, manager: User) -> None:
    for number in range(130):
        planned(shop, f"Number {number:03}", "04T12:00" if number < 100 else "05T12:00")
    reader = Reader(manager)
    reader.open(f"{JUNE}&view=list")
    assert names(reader, "Number 000", "Number 059", "Number 060") == {"Number 000", "Number 059"}
    more = reader.source.split('class="paging"')[1].split('href="')[1].split('"')[0].replace("&amp;", "&")
    reader.open(f"/calendar/{more}")
    assert names(reader, "Number 059", "Number 060", "Number 119") == {"Number 060", "Number 119"}


def test_of_forty_on_a_day_a_few_are_drawn_and_the_rest_are_counted(shop: Process, manager: User) -> None:
    for number in range(40):
        planned(shop, f"Number {number:02}", "04T12:00")
    reader = Reader(manager)
    assert "+35 more" in reader.open(JUNE)
    assert "+38" in reader.open(f"{JUNE}&view=week")
    assert "+32" in reader.open(f"{JUNE}&view=day")
    assert "40 in the week of 1 June" in reader.open(f"{JUNE}&view=quarter")


def test_conflicts_are_marked_and_lead_to_what_conflicts(shop: Process, manager: User, stranger: User) -> None:
    one, two, apart = (planned(shop, name, "04T12:00") for name in ("First", "Second", "Apart"))
    books(one, "resource:cart", "group:qa")
    books(two, "resource:cart", "group:qa")
    books(apart, "group:qa")
    reader = Reader(manager)
    reader.open(JUNE)
    assert "Conflicts of First" in reader.text
    assert "Conflicts of Apart" not in reader.text
    text = reader.open(f"/calendar/releases/{one.pk}/")
    assert "Second also uses cart" in text
    assert f"/calendar/releases/{two.pk}/" in reader.source
    assign_perm("releases.view_release", stranger, one)
    other = Reader(User.objects.get(pk=stranger.pk))
    text = other.open(f"/calendar/releases/{one.pk}/")
    assert "A release you may not see also uses cart" in text
    assert "Second" not in text


def test_a_running_release_lasts_until_now_however_long_it_was_planned(shop: Process, manager: User) -> None:
    late = planned(shop, "Late", "01T08:00", state="running", started_at=NOW - timedelta(hours=4))
    reader = Reader(manager)
    reader.open("/calendar/?view=day&date=2026-06-01")
    assert 'data-start="2026-06-01T08:00" data-end="2026-06-01T12:00"' in reader.source
    Release.objects.filter(pk=late.pk).update(planned_start_at=None, planned_end_at=None)
    reader.open("/calendar/?view=day&date=2026-06-01")
    assert 'data-start="2026-06-01T08:00" data-end="2026-06-01T12:00"' in reader.source


def test_only_who_may_plan_a_release_can_move_it(shop: Process, stranger: User, manager: User) -> None:
    mine, other, group_s = (planned(shop, name, "04T12:00") for name in ("Mine", "Other", "Operated"))
    for release in (mine, other, group_s):
        assign_perm("releases.view_release", stranger, release)
    assign_perm("releases.operate_release", stranger, group_s)
    Release.objects.filter(pk=mine.pk).update(created_by=stranger)
    reader = Reader(User.objects.get(pk=stranger.pk))

    def movable() -> set[int]:
        reader.open(JUNE)
        tiles = reader.source.split('<li class="tile ')[1:]
        return {int(one.split('data-pk="')[1].split('"')[0]) for one in tiles if "can-move" in one.split(">")[0]}

    assert movable() == {group_s.pk}
    assign_perm("processes.start_process", stranger, shop)
    reader = Reader(User.objects.get(pk=stranger.pk))
    assert movable() == {mine.pk, group_s.pk}


def test_a_stranger_sees_nothing_of_it(train: ReleaseGroup, shop: Process, stranger: User) -> None:
    hotfix = planned(shop, "Hotfix", "04T12:00")
    Resource.objects.create(slug="cart", name="Cart", type="service")
    Freeze.objects.create(slug="quiet", name="Quiet time", body={"scope": {"everything": True}}).windows.create(
        starts_at=NOW, ends_at=None
    )
    reader = Reader(stranger)
    for view in VIEWS:
        text = reader.open(f"{JUNE}&view={view}&group=train&tag=customer-facing&owner=group:qa")
        assert reader.status == 200
        for secret in ("Train", "Hotfix", "Quiet", "Corpus"):
            assert secret not in text
        assert "Train" not in reader.open(f"{JUNE}&view={view}")
    assert "Cart" not in reader.open(f"/calendar/slot/?resource=cart&length=2h&release={hotfix.pk}")
    assert "There is no resource 'cart'" in reader.text
    reader.open(f"/calendar/releases/{hotfix.pk}/")
    assert reader.status == 404


def test_nobody_signed_in_is_sent_to_sign_in(shop: Process) -> None:
    release = planned(shop, "Hotfix", "04T12:00")
    reader = Reader()
    for address in ("/calendar/", "/calendar/slot/", f"/calendar/releases/{release.pk}/"):
        reader.open(address)
        assert (address, reader.status) == (address, 302)


def test_who_sees_one_release_sees_just_that(train: ReleaseGroup, shop: Process, stranger: User) -> None:
    seen = planned(shop, "Seen", "04T12:00")
    assign_perm("releases.view_release", stranger, seen)
    reader = Reader(User.objects.get(pk=stranger.pk))
    for view in VIEWS:
        reader.open(f"{JUNE}&view={view}")
        assert names(reader, "Seen", "Train 2026") == {"Seen"}


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_costs_the_same_for_one_release_and_for_hundreds(
    view: str, train: ReleaseGroup, shop: Process, manager: User, stranger: User, django_assert_max_num_queries: Any
) -> None:
    assign_perm("releases.view_releasegroup", stranger, train)
    assign_perm("processes.start_process", stranger, shop)
    readers = [Reader(manager), Reader(User.objects.get(pk=stranger.pk))]
    books(planned(shop, "First", "04T12:00"), "resource:cart")
    few = [queries(reader, f"{JUNE}&view={view}") for reader in readers]
    for number in range(300):
        planned(shop, f"Number {number}", f"{number % 28 + 1:02}T12:00", hours=number)
    for number in range(5):
        document = {**DOCUMENT, "id": f"ferry-{number}", "name": f"Ferry {number}"}
        assign_perm("releases.view_releasegroup", stranger, save_group(None, document, now=NOW)[0])
    assert [queries(reader, f"{JUNE}&view={view}") for reader in readers] == few
    with django_assert_max_num_queries(24):
        readers[1].open(f"{JUNE}&view={view}")


def queries(reader: Reader, address: str) -> int:
    reader.open(address)
    with CaptureQueriesContext(connection) as caught:
        reader.open(address)
    assert reader.status == 200
    return len(caught)


def test_the_part_that_refreshes_itself_comes_alone(train: ReleaseGroup, manager: User) -> None:
    reader = Reader(manager)
    reader.open(JUNE)
    assert 'data-live="releases"' in reader.source
    reader.open(JUNE, HX_Request="true", HX_Target="div#calendar")
    assert reader.source.lstrip().startswith('<div id="calendar"')
    assert "<html" not in reader.source


def test_the_next_free_slot_is_found_and_a_release_created_or_moved_there(shop: Process, manager: User) -> None:
    Resource.objects.create(slug="cart", name="Cart", type="service")
    busy, own = planned(shop, "Busy", "01T12:00", hours=6), planned(shop, "Own", "01T13:00", hours=2)
    books(busy, "resource:cart")
    reader = Reader(manager)
    text = reader.open("/calendar/slot/?resource=cart&length=2h")
    assert "Mon 1 Jun, 18:00 \N{EN DASH} 20:00 UTC" in text
    assert "/releases/new/?start=2026-06-01T18%3A00%3A00%2B00%3A00" in reader.source
    books(own, "resource:cart")
    reader.open(f"/calendar/releases/{own.pk}/")
    assert f"/calendar/slot/?resource=cart&amp;length=120m&amp;release={own.pk}" in reader.source
    text = reader.open(f"/calendar/slot/?resource=cart&length=120m&release={own.pk}")
    assert "See what moving it there does" in text
    assert f'action="{page_of(own, "move/")}"' in reader.source


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("length=2h", "Choose at least one."),
        ("resource=cart&length=soon", "'soon' is no length of time."),
        ("resource=cart&length=2h&date=never", "'never' is not a date."),
        ("resource=carrt&length=2h", "There is no resource 'carrt'"),
        ("resource=cart&length=2h&release=" + "9" * 30, "18:00"),
        ("resource=cart&length=2h&group=%00", "18:00"),
    ],
)
def test_a_slot_that_cannot_be_looked_for_says_why(query: str, told: str, shop: Process, manager: User) -> None:
    Resource.objects.create(slug="cart", name="Cart", type="service")
    books(planned(shop, "Busy", "01T12:00", hours=6), "resource:cart")
    reader = Reader(manager)
    assert told in reader.open(f"/calendar/slot/?{query}")
    assert reader.status == 200


def test_a_release_is_created_from_a_slot_of_the_calendar(shop: Process, manager: User) -> None:
    reader = Reader(manager)
    reader.client.cookies["zone"] = "Europe/Berlin"
    reader.open("/releases/new/?start=2026-06-04T09:00&end=2026-06-04T11:00&zone=Asia/Tokyo")
    assert "process=shop&amp;start=2026-06-04T09%3A00&amp;end=2026-06-04T11%3A00&amp;zone=Asia%2FTokyo" in reader.source
    reader.open("/releases/new/?process=shop&start=2026-06-04T09:00&end=2026-06-04T11:00&zone=Asia/Tokyo")
    assert 'name="planned_start_at" value="2026-06-04T02:00"' in reader.source
    assert 'name="planned_end_at" value="2026-06-04T04:00"' in reader.source
    text = reader.open("/releases/new/?process=shop&start=soon&end=9999-99-99")
    assert "'soon' is not a date and time." in text
    assert reader.status == 200


def test_a_move_from_the_calendar_is_read_in_its_zone_and_leads_back_to_it(train: ReleaseGroup, manager: User) -> None:
    release = train.releases.order_by("planned_start_at").first()
    assert release is not None
    reader, back = Reader(manager), "/calendar/?view=week&date=2026-06-04"
    sent = {"planned_start_at": "2026-06-05T10:00", "zone": "America/New_York", "scope": "this", "next": back}
    text = reader.send(page_of(release, "move/"), look="yes", seen=release.edits, **sent)
    assert "Fri 5 Jun, 10:00 \N{EN DASH} Sun 7 Jun, 10:00 EDT" in text
    assert 'value="2026-06-05T10:00"' in reader.source
    part = reader.client.post(page_of(release, "move/"), {**sent, "look": "yes"}, headers={"X-Part": "dialog"})
    assert "<html" not in part.content.decode()
    reader.send(page_of(release, "move/"), confirm="yes", seen=release.edits, **sent)
    assert reader.location == back
    release.refresh_from_db()
    assert release.planned_start_at == datetime(2026, 6, 5, 14, tzinfo=UTC)
    elsewhere = {**sent, "next": "https://elsewhere.example/"}
    reader.send(page_of(release, "move/"), confirm="yes", seen=release.edits, **elsewhere)
    assert reader.location == page_of(release)


def hues() -> dict[str, str]:
    """The colours that calendar.css draws its ten hues in, in light."""
    text = (settings.BASE_DIR / "config/static/pilothouse/calendar.css").read_text()
    return dict(re.findall(r"^\.(g\d) \{ --hue: light-dark\((#\w{6})", text, re.MULTILINE))


def test_a_colour_is_drawn_in_the_nearest_hue_and_one_group_without_a_colour_in_one_by_its_number() -> None:
    assert {name: hue_of(1, color) for name, color in hues().items()} == {f"g{one}": f"g{one}" for one in range(10)}
    assert [hue_of(1, color) for color in ("#2563eb", "#FF0000", "#888888", "#ff69b4", "#008000")] == [
        "g0", "g9", "g-none", "g5", "g6",
    ]  # fmt: skip
    assert [hue_of(13, color) for color in ("", "blue", "#12345")] == ["g3"] * 3


@pytest.mark.parametrize("view", VIEWS)
def test_a_group_is_drawn_in_its_colour(view: str, train: ReleaseGroup, manager: User) -> None:
    for color, hue in (("#b0215f", "g5"), ("#0e6f5c", "g1")):
        ReleaseGroup.objects.update(color=color)
        reader = Reader(manager)
        reader.open(f"{JUNE}&view={view}")
        assert f"cal-chip {hue}" in reader.source
        assert set(re.findall(r"\bg\d\b", reader.source)) == {hue}
