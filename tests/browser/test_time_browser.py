"""The pages of groups, freezes and starts in a real browser: moved, stopped, the glass broken; both looks, a phone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from releases.groups import save_group
from releases.models import Release, ReleaseGroup
from releases.services.checking import check_release
from releases.services.freezing import stop_the_line
from tests.browser.looks import look, look_at, sign_in
from tests.edges.pages import page_of, publish

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "The train of everything that goes to every customer " * 3
RULE = {"rrule": "FREQ=WEEKLY;BYDAY=TH", "start": "2026-01-08T09:00", "timezone": "Europe/Berlin", "duration": "2d"}
SHOP = """
kind: Process
id: shop
name: Shop
phases:
  - {id: only, name: Only, owners: [group:qa], activities: [{id: agree, manual: {instructions: Look.}}]}
"""


@pytest.fixture
def first(owner: User) -> Release:
    """The next release of a weekly group that says where one date is bent; a second group has a long name."""
    now = timezone.now()
    publish(SHOP)
    day = (now + timedelta(days=4)).date()
    holidays = {"calendar": "DE-BY", "roll": "next_working_day"}
    document: dict[str, Any] = {"kind": "ReleaseGroup", "id": "train", "name": "Train", "process": "shop"}
    rule = {**RULE, "include": [day.isoformat()], "holidays": holidays}
    save_group(None, {**document, "cadence": rule}, now=now)
    save_group(None, {**document, "id": "long", "name": LONG[:150], "cadence": RULE}, now=now)
    group = ReleaseGroup.objects.get(slug="train")
    return list(group.releases.order_by("planned_start_at"))[1]


def addresses(release: Release) -> list[str]:
    at = f"{release.occurs_at:%Y-%m-%dT%H:%M}"
    return [
        "/",
        "/groups/",
        "/groups/?after=zzz",
        "/groups/train/",
        "/groups/long/",
        f"/groups/train/skip/?at={at}",
        page_of(release),
        page_of(release, "start/"),
        page_of(release, "move/"),
        "/stop-the-line/",
    ]


def test_all_of_a_group_is_moved_after_a_look(
    live_server: LiveServer, page: Page, complaints: list[str], first: Release, manager: User
) -> None:
    sign_in(page, live_server, "manager")
    page.get_by_role("link", name="Groups", exact=True).click()
    page.get_by_role("link", name="Train", exact=True).click()
    page.get_by_role("link", name=f"Move {first}").click()
    assert first.planned_start_at is not None
    to = first.planned_start_at + timedelta(hours=2)
    with_zone = page.evaluate(
        "moment => new Date(moment - new Date().getTimezoneOffset() * 60000).toISOString()", to.timestamp() * 1000
    )
    page.get_by_label("Starts").fill(with_zone[:16])
    page.get_by_label("All of Train").check()
    page.get_by_role("button", name="See what that does").click()
    expect(page.get_by_role("heading", name="What that does")).to_be_visible()
    assert Release.objects.get(pk=first.pk).planned_start_at == first.planned_start_at
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("Before it starts")).to_be_visible()
    assert Release.objects.get(pk=first.pk).planned_start_at == to


def test_the_line_is_stopped_and_the_glass_broken(
    live_server: LiveServer, page: Page, complaints: list[str], first: Release, manager: User
) -> None:
    sign_in(page, live_server, "manager")
    page.get_by_role("link", name="Stop the line").click()
    page.get_by_label("Reason").fill("Cart is down")
    page.get_by_role("button", name="Stop the line").click()
    expect(page.get_by_text("It stops everything, until it is lifted.")).to_be_visible()
    page.goto(f"{live_server.url}{page_of(first, 'start/')}")
    page.get_by_text("start it all the same").click()
    page.locator("#break-reason").fill("It mends the cart")
    page.get_by_role("button", name="Break the glass and start").click()
    expect(page.get_by_text("broke the glass to start this release")).to_be_visible()
    page.goto(live_server.url)
    page.get_by_role("link", name="Lift").click()
    page.get_by_label("Reason").fill("It is up again")
    page.get_by_role("button", name="Lift the freeze").click()
    expect(page.get_by_text("It stops everything")).to_have_count(0)


def test_every_page_suits_everybody(
    live_server: LiveServer, screen: Page, share: slice, first: Release, manager: User
) -> None:
    stop_the_line(None, scope={"groups": ["train", "long"]}, reason=LONG, now=timezone.now())
    for release in Release.objects.all():
        check_release(release.pk, now=timezone.now())
    sign_in(screen, live_server, "manager")
    found: list[str] = []
    for address in addresses(first)[share]:
        found += look_at(screen, live_server.url + address)
    screen.goto(f"{live_server.url}{page_of(first, 'move/')}")
    screen.get_by_label("This and those that follow").check()
    screen.get_by_role("button", name="See what that does").click()
    assert [*found, *look(screen)] == []
