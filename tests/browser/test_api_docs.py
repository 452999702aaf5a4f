"""The API's documentation works in a browser, under the strict content policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page
from pytest_django.live_server_helper import LiveServer


def scrolled_to(page: Page, words: str) -> Locator:
    """Scroll down until an operation stands there, for only those near the screen are drawn."""
    found = page.get_by_text(words).first
    for _ in range(150):
        if found.is_visible():
            return found
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(120)
    return found


@pytest.mark.browser
def test_the_documentation_shows_the_operations(live_server: LiveServer, page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{live_server.url}/api/v1/docs/")
    page.get_by_text("List the store activities you may see").first.wait_for()
    scrolled_to(page, "List the releases you may see").wait_for()
    scrolled_to(page, "Start a release now").click()
    page.get_by_role("button", name="Try it out").wait_for()
    assert complaints == []
