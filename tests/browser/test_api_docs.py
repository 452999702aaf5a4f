"""The API's documentation works in a browser, under the strict content policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer


@pytest.mark.browser
def test_the_documentation_shows_the_operations(live_server: LiveServer, page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{live_server.url}/api/v1/docs/")
    page.get_by_text("List the releases you may see").first.wait_for()
    page.get_by_text("Start a release now").first.click()
    page.get_by_role("button", name="Try it out").wait_for()
    assert complaints == []
