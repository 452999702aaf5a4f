"""The page of calendar feeds in a real browser: made, copied, opened, revoked; in both looks and on a phone."""

from __future__ import annotations

from urllib.request import urlopen

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from releases.models import Feed
from tests.browser import looks
from tests.browser.looks import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SMALL: ViewportSize = {"width": 375, "height": 740}


@pytest.mark.parametrize("look", ["light", "dark"])
def test_a_feed_is_made_copied_opened_and_revoked(
    look: str, live_server: LiveServer, page: Page, complaints: list[str], manager: User
) -> None:
    page.emulate_media(color_scheme="dark" if look == "dark" else "light")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, live_server, "manager")
    page.locator("details.menu > summary").last.click()
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Calendar feeds").click()
    page.get_by_label("What it shows").select_option("mine")
    page.get_by_label("Name", exact=True).fill("The calendar of a person with a very long name " * 3)
    page.get_by_role("button", name="Make a feed").click()

    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    address = page.get_by_label("Copy it now").input_value()
    assert page.evaluate("navigator.clipboard.readText()") == address
    with urlopen(address) as answer:
        assert answer.read().startswith(b"BEGIN:VCALENDAR")

    page.mouse.move(0, 0)
    assert looks.look(page) == []
    page.set_viewport_size(SMALL)
    button = page.get_by_role("button", name="Revoke").bounding_box()
    assert button is not None
    assert button["height"] < 50
    assert page.evaluate("document.documentElement.scrollWidth") <= SMALL["width"]

    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("You have none yet")).to_be_visible()
    assert Feed.objects.filter(revoked_at=None).count() == 0
