"""The calendar in a real browser: releases moved by keys and by hand after a look, both looks, a phone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from playwright.sync_api import Locator, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from processes.models import Process
from releases.freeze_documents import save_freeze
from releases.groups import save_group
from releases.models import Booking, Release, ReleaseGroup
from tests.browser.looks import look_at, sign_in
from tests.edges.pages import publish
from tests.trains import DOCUMENT, NOW, SHOP

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
#: A Wednesday at ten, far from any day on which these tests run.
AT = datetime(2030, 6, 5, 10, tzinfo=UTC)
LONG = "The release of everything that goes to every customer " * 3
NEW = re.compile(r"\bis-new\b")
RULE = {
    "rrule": "FREQ=WEEKLY;BYDAY=TH;COUNT=1",
    "start": "2026-06-04T09:00",
    "timezone": "Europe/Berlin",
    "duration": "1h",
}
VIEWS = ("month", "week", "day", "quarter", "list")


@pytest.fixture
def hotfix(manager: User) -> Release:
    """A release of two hours, beside others: in conflict, of a group, long, under a freeze, with long names."""
    process = publish(SHOP)
    group = save_group(None, {**DOCUMENT, "name": "قطار الإصدار", "cadence": RULE}, now=NOW)[0]
    window = {"start": "2030-06-06T18:00", "end": "2030-06-09T06:00", "timezone": "UTC"}
    document = {"kind": "Freeze", "id": "quiet", "name": "Quiet time", "scope": {"everything": True}}
    save_freeze(None, {**document, "window": window}, now=NOW)
    hotfix = plan(process, "Hotfix", AT, timedelta(hours=2))
    plan(process, "Rival", AT + timedelta(hours=1), timedelta(hours=2))
    plan(process, LONG, AT - timedelta(days=2), timedelta(days=4))
    plan(process, "Grouped", AT + timedelta(days=1), timedelta(days=2), group=group)
    for number in range(12):
        plan(process, f"Crowd {number}", AT + timedelta(hours=5), timedelta(hours=1), state="scheduled")
    return hotfix


def plan(
    process: Process,
    name: str,
    at: datetime,
    lasts: timedelta,
    *,
    group: ReleaseGroup | None = None,
    state: str = "draft",
) -> Release:
    release = Release.objects.create(
        process=process,
        group=group,
        name=name,
        state=state,
        created_at=NOW,
        planned_start_at=at,
        planned_end_at=at + lasts,
    )
    Booking.objects.create(release=release, what="resource:cart", during=DateTimeTZRange(at, at + lasts))
    return release


def open_view(page: Page, live_server: LiveServer, view: str) -> None:
    page.goto(f"{live_server.url}/calendar/?view={view}&date={AT:%Y-%m-%d}")


def tile(page: Page, release: Release) -> Locator:
    return page.locator(f'.tile[data-pk="{release.pk}"]').first


def times(release: Release) -> tuple[datetime | None, datetime | None]:
    release.refresh_from_db()
    return release.planned_start_at, release.planned_end_at


def test_a_release_is_moved_by_keys_once_its_consequences_were_shown(
    live_server: LiveServer, page: Page, complaints: list[str], hotfix: Release
) -> None:
    before, (day, hour) = times(hotfix), (timedelta(days=1), timedelta(hours=1))
    sign_in(page, live_server, "manager")
    open_view(page, live_server, "week")
    tile(page, hotfix).locator(".what").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page.locator("#cal-says")).to_have_text("It stays where it was.")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    for _ in range(4):
        page.keyboard.press("Shift+ArrowDown")
    expect(page.locator(".cal-tip")).to_contain_text("Thu 6 Jun, 11:00")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="What that does")).to_be_visible()
    expect(dialog.get_by_text("Thu 6 Jun 2030, 11:00").first).to_be_visible()
    assert times(hotfix) == before
    page.keyboard.press("Escape")
    expect(tile(page, hotfix).locator(".what")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Move", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(tile(page, hotfix)).to_have_class(NEW)
    assert times(hotfix) == (AT + day, AT + 2 * day + 2 * hour)


def test_the_key_after_a_closed_dialog_moves_from_where_the_release_is(
    live_server: LiveServer, page: Page, complaints: list[str], hotfix: Release
) -> None:
    sign_in(page, live_server, "manager")
    open_view(page, live_server, "week")
    tile(page, hotfix).locator(".what").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    shut = page.get_by_role("dialog").get_by_role("button", name="Close")
    expect(shut).to_be_visible()
    # In one breath, before the browser has told of the dialog's end.
    shut.evaluate(f"""shut => {{
        shut.click();
        const tile = document.querySelector('.tile[data-pk="{hotfix.pk}"] .what');
        tile.dispatchEvent(new KeyboardEvent("keydown", {{ key: "ArrowRight", bubbles: true }}));
    }}""")
    expect(page.locator(".cal-tip")).to_contain_text("Thu 6 Jun, 10:00")
    page.keyboard.press("Escape")
    expect(page.locator("#cal-says")).to_have_text("It stays where it was.")


def test_who_thinks_again_before_the_consequences_are_there_is_not_shown_them(
    live_server: LiveServer, page: Page, complaints: list[str], hotfix: Release
) -> None:
    sign_in(page, live_server, "manager")
    open_view(page, live_server, "week")
    held: list[Route] = []
    page.route("**/move/", lambda route: held.append(route))
    tile(page, hotfix).locator(".what").focus()
    page.keyboard.press("ArrowRight")
    with page.expect_request("**/move/"):
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("#cal-says")).to_have_text("It stays where it was.")
    with page.expect_response("**/move/"):
        held[0].continue_()
    page.wait_for_timeout(200)
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_release_is_dragged_to_another_day_and_hour_and_resized(
    live_server: LiveServer, page: Page, complaints: list[str], hotfix: Release
) -> None:
    page.set_viewport_size({"width": 1280, "height": 1400})
    sign_in(page, live_server, "manager")
    open_view(page, live_server, "week")
    there = page.locator('.slots[data-date="2030-06-04"]').bounding_box()
    box = tile(page, hotfix).bounding_box()
    assert box is not None
    assert there is not None
    page.mouse.move(box["x"] + 12, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(there["x"] + 30, box["y"] + 20, steps=3)
    page.mouse.move(there["x"] + 30, box["y"] + 8 + 88, steps=3)
    page.mouse.up()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="What that does")).to_be_visible()
    assert times(hotfix) == (AT, AT + timedelta(hours=2))
    dialog.get_by_role("button", name="Move", exact=True).click()
    expect(tile(page, hotfix)).to_have_class(NEW)
    moved = AT - timedelta(days=1) + timedelta(hours=2)
    assert times(hotfix) == (moved, moved + timedelta(hours=2))
    box = tile(page, hotfix).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] - 3)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] - 3 + 44, steps=4)
    page.mouse.up()
    dialog.get_by_role("button", name="Move", exact=True).click()
    expect(tile(page, hotfix)).to_have_attribute("data-end", "2030-06-04T15:00")
    assert times(hotfix) == (moved, moved + timedelta(hours=3))


def test_a_click_shows_a_release_at_a_glance_and_keys_change_the_view(
    live_server: LiveServer, page: Page, complaints: list[str], hotfix: Release
) -> None:
    sign_in(page, live_server, "manager")
    open_view(page, live_server, "month")
    tile(page, hotfix).locator(".what").click()
    dialog = page.get_by_role("dialog", name="Hotfix")
    expect(dialog.get_by_role("link", name="Rival")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    for key, week in (("w", "3 \N{EN DASH} 9 June 2030"), ("k", "10 \N{EN DASH} 16 June 2030")):
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=week)).to_be_visible()
        page.wait_for_load_state()  # keys are listened to once the scripts are there
    page.keyboard.press("?")
    page.get_by_label("Keys without Ctrl or Alt").uncheck()
    page.keyboard.press("q")
    expect(page.get_by_role("heading", name="10 \N{EN DASH} 16 June 2030")).to_be_visible()


def test_an_empty_place_is_where_a_release_is_created(
    live_server: LiveServer, page: Page, complaints: list[str], hotfix: Release
) -> None:
    sign_in(page, live_server, "manager")
    open_view(page, live_server, "week")
    page.locator('.slots[data-date="2030-06-03"]').click(position={"x": 40, "y": 14 * 44 + 10})
    page.get_by_role("link", name="Shop").click()
    expect(page.get_by_label("Planned start")).to_have_value("2030-06-03T14:00")


def test_every_view_suits_everybody(live_server: LiveServer, screen: Page, share: slice, hotfix: Release) -> None:
    addresses = [f"/calendar/?view={view}&date={AT:%Y-%m-%d}" for view in VIEWS]
    addresses += ["/calendar/?view=decade&group=train&state=draft&owner=ann", f"/calendar/releases/{hotfix.pk}/"]
    addresses += ["/calendar/?view=list&date=2031-01-01&kind=ad-hoc", "/calendar/slot/?resource=cart&length=soon"]
    sign_in(screen, live_server, "manager")
    assert [line for address in addresses[share] for line in look_at(screen, live_server.url + address)] == []
