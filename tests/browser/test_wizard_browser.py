"""Creating a release step by step, and what releases carry, in a real browser: by keyboard, in both looks."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from releases.models import Release
from releases.services.attaching import attach_artifact, attach_changes
from tests import fakes
from tests.browser.looks import look, look_at, sign_in
from tests.builders import MONDAY
from tests.edges.pages import KINDS, page_of, publish, start

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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
    page.get_by_role("button", name="Back to: Details").click()
    expect(page.get_by_label("Name required")).to_have_value("Autumn")
    page.get_by_role("button", name="Back to: Process").click()
    page.get_by_role("button", name="Database move").click()
    page.get_by_role("button", name="Next: values").click()
    expect(page.get_by_label("version")).to_have_value("2.5")
    assert Release.objects.count() == 1
    page.get_by_role("button", name="Create and start").click()
    expect(page.get_by_role("heading", name="Autumn")).to_be_visible()


def test_every_page_suits_everybody(
    live_server: LiveServer, screen: Page, share: slice, release: Release, manager: User
) -> None:
    addresses = (
        page_of(release, "changes/"),
        "/environments/",
        "/environments/?environment=production",
        "/environments/history/?environment=production&name=cart",
        "/environments/search/?q=c0ffee",
        "/releases/new/",
        "/releases/new/?process=move",
    )
    sign_in(screen, live_server, "manager")
    found = [line for address in addresses[share] for line in look_at(screen, live_server.url + address)]
    screen.goto(f"{live_server.url}/releases/new/?process=move")
    screen.get_by_label("Name required").fill("Autumn")
    screen.get_by_role("button", name="Next: values").click()
    expect(screen.get_by_role("button", name="Create and start")).to_be_visible()
    assert [*found, *look(screen)] == []
