"""The browser itself works: it reads an answer of the live site."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer


@pytest.mark.browser
def test_a_browser_reads_the_site(live_server: LiveServer, page: Page) -> None:
    answer = page.goto(f"{live_server.url}/health/alive")
    assert answer is not None
    assert answer.json() == {"status": "alive"}


@pytest.mark.browser
def test_the_admin_s_sign_in_works_under_its_content_policy(live_server: LiveServer, page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{live_server.url}/admin/login/")
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("Please enter the correct username and password").wait_for()
    assert complaints == []
