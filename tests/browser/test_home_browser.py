"""Home in a real browser: acting in place, choosing several, in both looks."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from releases.models import Release
from tests import fakes
from tests.browser.looks import look, sign_in
from tests.builders import run_of, states
from tests.edges.pages import publish, start
from tests.edges.test_pages_home import ASKS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def release(settings: Settings, manager: User) -> Release:
    """A release of which five activities wait for the owner, two of them for nothing but a signature."""
    settings.PROVIDERS = {"scripted": "tests.fakes.scripted_runner"}
    fakes.renew()
    return start(publish(ASKS), manager)


def test_an_owner_answers_from_home(
    live_server: LiveServer, page: Page, complaints: list[str], release: Release, owner: User
) -> None:
    sign_in(page, live_server, "owner")
    page.get_by_role("button", name="Done: First").click()
    expect(page.get_by_role("status")).to_contain_text("Task done: Walk")
    page.locator("summary", has_text="Reject Are you sure").focus()
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Reason").fill("Not yet")
    page.get_by_role("button", name="Reject", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Rejected: Are you sure")
    assert run_of(release, "go/sure").state == "on_hold"


def test_several_are_chosen_and_approved_at_once(
    live_server: LiveServer, page: Page, complaints: list[str], release: Release, owner: User
) -> None:
    sign_in(page, live_server, "owner")
    button = page.get_by_role("button", name="Approve chosen")
    expect(button).to_be_disabled()
    page.get_by_label("All", exact=True).check()
    page.evaluate("htmx.trigger(document.querySelector('#home'), 'live')")
    page.wait_for_load_state("networkidle")
    expect(page.get_by_label("Choose Go ahead of Spring 1.2.3")).to_be_checked()
    button.click()
    expect(page.get_by_role("status")).to_contain_text("Approved Go ahead of Spring 1.2.3, Are you sure")
    assert [states(release)[f"go/{name}"] for name in ("yes-please", "sure", "more")] == [*["succeeded"] * 2, "waiting"]


def test_home_suits_everybody(live_server: LiveServer, screen: Page, release: Release, owner: User) -> None:
    sign_in(screen, live_server, "owner")
    assert look(screen) == []
