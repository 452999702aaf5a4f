"""A release manager plans a train in the admin with a real browser, and reads its pages on a phone, light and dark."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from processes.services import apply
from releases.groups import save_group
from releases.models import Release, ReleaseGroup
from releases.services.freezing import stop_the_line

pytestmark = pytest.mark.browser

SHOP = """
kind: Process
id: shop
name: Shop
phases:
  - {id: only, name: Only, activities: [{id: agree, manual: {instructions: Look.}}]}
"""
TRAIN: dict[str, Any] = {
    "kind": "ReleaseGroup",
    "id": "train",
    "name": "Train with a name of some length",
    "process": "shop",
    "cadence": {
        "rrule": "FREQ=WEEKLY;BYDAY=TH",
        "start": "2026-01-08T09:00",
        "timezone": "Europe/Berlin",
        "duration": "2d",
        "holidays": {"calendar": "DE-BY", "roll": "next_working_day"},
    },
}


@pytest.fixture
def desk(live_server: LiveServer, page: Page, admin: User, groups: dict[str, Group]) -> Iterator[Page]:
    """The admin, signed in; whatever the browser complains about fails the test."""
    apply(None, SHOP, now=timezone.now(), publish=True)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{live_server.url}/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Processes").first).to_be_visible()
    yield page
    assert complaints == []


def test_a_cadence_is_chosen_previewed_and_saved(desk: Page, live_server: LiveServer) -> None:
    desk.goto(f"{live_server.url}/admin/releases/releasegroup/add/")
    desk.locator("input[name='slug']").fill("train")
    desk.locator("input[name='name']").fill("Train")
    desk.locator("select[name='process']").select_option(label="Shop")
    expect(desk.locator("input[name='rrule']")).to_be_hidden()
    desk.locator("select[name='repeats']").select_option("custom")
    expect(desk.locator("input[name='rrule']")).to_be_visible()
    desk.locator("select[name='repeats']").select_option("weekly")
    expect(desk.locator("input[name='rrule']")).to_be_hidden()
    desk.get_by_label("Thursday").check()
    desk.locator("input[name='start']").fill("2026-01-08T09:00")
    desk.locator("select[name='timezone'] + .select2").click()
    desk.locator("input.select2-search__field").last.press_sequentially("Berlin", delay=20)
    desk.locator(".select2-results__option", has_text="Europe/Berlin").click()
    desk.get_by_role("button", name="Preview").click()
    expect(desk.get_by_text("'duration' is missing")).to_be_visible()
    desk.locator("input[name='duration']").fill("2d")
    desk.get_by_role("button", name="Preview").click()
    expect(desk.get_by_text("Every Thursday at 09:00 (Europe/Berlin), for 2 days.")).to_be_visible()
    assert not ReleaseGroup.objects.exists()
    desk.get_by_role("button", name="Save", exact=True).click()
    expect(desk.get_by_text("was added successfully")).to_be_visible()
    assert ReleaseGroup.objects.get().body["cadence"]["rrule"] == "FREQ=WEEKLY;BYDAY=TH"


def test_the_form_works_without_scripts(desk: Page, live_server: LiveServer) -> None:
    group, _ = save_group(None, TRAIN, now=timezone.now())
    assert desk.context.browser is not None
    plain = desk.context.browser.new_context(
        java_script_enabled=False, storage_state=desk.context.storage_state()
    ).new_page()
    plain.goto(f"{live_server.url}/admin/releases/releasegroup/{group.pk}/change/")
    plain.locator("select[name='repeats']").select_option("custom")
    plain.locator("input[name='rrule']").fill("FREQ=DAILY;INTERVAL=3")
    plain.locator("textarea[name='exclude']").fill("2030-01-01")
    plain.get_by_role("button", name="Save", exact=True).click()
    expect(plain.get_by_text("This changes what is planned")).to_be_visible()
    plain.get_by_role("button", name="Save", exact=True).click()
    group.refresh_from_db()
    assert (group.body["cadence"]["rrule"], group.body["cadence"]["exclude"]) == (
        "FREQ=DAILY;INTERVAL=3",
        ["2030-01-01"],
    )
    plain.context.close()


@pytest.mark.parametrize(
    ("look", "width"),
    [
        ("light", 390),
        ("dark", 1380),
        pytest.param("dark", 390, marks=pytest.mark.long),
        pytest.param("light", 1380, marks=pytest.mark.long),
    ],
)
def test_pages_fit_their_screen(
    desk: Page, live_server: LiveServer, width: int, look: Literal["light", "dark"]
) -> None:
    group, _ = save_group(None, TRAIN, now=timezone.now())
    stop_the_line(None, scope={"groups": ["train"]}, reason="Outage of payments", now=timezone.now())
    finding = {"code": "frozen", "stops": True, "message": "The freeze 'Outage' applies.", "cure": "Wait.", "path": "x"}
    Release.objects.update(findings=[finding])
    release = Release.objects.earliest("planned_start_at")
    desk.emulate_media(color_scheme=look)
    desk.set_viewport_size({"width": width, "height": 844})

    def fits(name: str) -> None:
        folder = os.environ.get("PICTURES")
        if folder:
            desk.screenshot(path=f"{folder}/{name}-{width}-{look}.png", full_page=True)
        assert desk.evaluate("document.documentElement.scrollWidth") <= width, name

    desk.goto(f"{live_server.url}/admin/releases/releasegroup/{group.pk}/change/")
    fits("group")
    desk.locator("select[name='repeats']").select_option("monthly_by_weekday")
    desk.locator("select[name='nth']").select_option("3")
    desk.get_by_role("button", name="Save", exact=True).click()
    expect(desk.get_by_text("This changes what is planned")).to_be_visible(timeout=20_000)
    fits("difference")
    desk.goto(f"{live_server.url}/admin/releases/releasegroup/{group.pk}/skip/")
    fits("skip")
    for name in ("start", "ask-exception", "move"):
        desk.goto(f"{live_server.url}/admin/releases/release/{release.pk}/{name}/")
        fits(name)
    assert release.planned_start_at is not None
    day = release.planned_start_at + timedelta(days=1)
    desk.locator("input[name='planned_start_at_0']").fill(f"{day:%Y-%m-%d}")
    desk.locator("select[name='scope']").select_option("all")
    desk.get_by_role("button", name="Show what it does").click()
    expect(desk.get_by_text("Nothing has been moved yet")).to_be_visible()
    fits("moved")
