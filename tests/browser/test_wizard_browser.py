"""Creating a release step by step, and what releases carry, in a real browser: by keyboard, in both looks."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from releases.models import Release
from releases.services.attaching import attach_artifact, attach_changes
from tests import fakes
from tests.browser.test_pages import SERIOUS, complaints, sign_in
from tests.builders import MONDAY
from tests.edges.pages import KINDS, page_of, publish, start

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["complaints"]


@pytest.fixture
def release(settings: Settings, manager: User) -> Release:
    """A release that carries a ticket and commits, and put a part with a very long name into two environments."""
    settings.PROVIDERS = {"scripted": "tests.fakes.scripted_runner"}
    fakes.renew()
    release = start(publish(KINDS), manager)
    said = {"commits": [{"reference": "c0ffee" * 6, "title": "Mend " * 40}], "tickets": [{"reference": "SHOP-1"}]}
    attach_changes(None, release, said, now=MONDAY)
    for environment in ("production", "staging-with-a-long-name"):
        for name in ("cart", "part-" * 30):
            columns = {"name": name, "version": "1.0.0", "environment": environment, "commit": "c0ffee" * 6}
            attach_artifact(None, release, {**columns, "digest": "sha256:" + "ab" * 32}, now=MONDAY)
    return release


def test_one_goes_from_a_deployment_to_its_code_and_back(
    live_server: LiveServer, page: Page, complaints: list[str], release: Release, manager: User
) -> None:
    sign_in(page, live_server, "manager")
    page.get_by_role("link", name="What is where").click()
    page.get_by_role("navigation", name="Environments").get_by_role("link", name="production").click()
    page.get_by_role("link", name="c0ffeec0ffee").first.click()
    page.get_by_role("link", name="Spring").click()
    expect(page.get_by_text("SHOP-1").first).to_be_visible()
    page.get_by_role("link", name="production").first.click()
    expect(page.get_by_role("heading", name="in production")).to_be_visible()


def test_going_back_loses_nothing_and_enter_never_creates(
    live_server: LiveServer, page: Page, complaints: list[str], release: Release, manager: User
) -> None:
    sign_in(page, live_server, "manager")
    page.goto(f"{live_server.url}/releases/new/?process=move")
    expect(page.get_by_label("Name required")).to_be_focused()
    page.keyboard.type("Autumn")
    page.keyboard.press("Enter")
    page.get_by_label("version").fill("2.5")
    page.keyboard.press("Enter")
    expect(page.get_by_text("given on the release")).to_be_visible()
    page.get_by_role("button", name="Back to: What").click()
    expect(page.get_by_label("Name required")).to_have_value("Autumn")
    page.get_by_role("button", name="Back to: Process").click()
    page.get_by_role("button", name="Database move").click()
    page.get_by_role("button", name="Next: values").click()
    expect(page.get_by_label("version")).to_have_value("2.5")
    assert Release.objects.count() == 1
    page.get_by_role("button", name="Create and start").click()
    expect(page.get_by_role("heading", name="Autumn")).to_be_visible()


@pytest.mark.parametrize("look", ["light", "dark"])
def test_everybody_can_read_these_pages(
    live_server: LiveServer, browser: Browser, release: Release, manager: User, look: str
) -> None:
    for width in (1280, 360):
        context = browser.new_context(color_scheme=look, viewport={"width": width, "height": 800})  # type: ignore[arg-type]
        page = context.new_page()
        sign_in(page, live_server, "manager")
        for address in (
            page_of(release, "changes/"),
            "/environments/",
            "/environments/?environment=production",
            "/environments/history/?environment=production&name=cart",
            "/environments/search/?q=c0ffee",
            "/releases/new/",
            "/releases/new/?process=move",
        ):
            page.goto(f"{live_server.url}{address}")
            check(page, address, width)
        page.get_by_label("Name required").fill("Autumn")
        page.get_by_role("button", name="Next: values").click()
        expect(page.get_by_role("button", name="Create and start")).to_be_visible()
        check(page, "values", width)
        context.close()


def check(page: Page, address: str, width: int) -> None:
    found = Axe().run(page).response["violations"]
    assert [(address, one["id"]) for one in found if one["impact"] in SERIOUS] == []
    assert (address, page.evaluate("document.documentElement.scrollWidth")) == (address, width)
