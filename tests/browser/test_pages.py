"""The pages in a real browser: the main journeys, both looks, small screens, and a content policy nobody breaks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from activities.runners import Outcome
from releases.models import ActivityRun, Release
from tests import fakes
from tests.browser.looks import look_at, sign_in
from tests.builders import run_of, work
from tests.edges.pages import KINDS, page_of, panel_of, plan, publish, start

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def release(settings: Settings, manager: User) -> Release:
    """A release under way in which one activity is on hold and others wait for its owner, late; one opens later."""
    settings.PROVIDERS = {"scripted": "tests.fakes.scripted_runner"}
    fakes.renew().script["check"] = [Outcome("failed", error="lag too high", log="measuring\n" * 60)]
    release = start(publish(KINDS), manager, name="Move the " + "very " * 30 + "large database")
    day = timedelta(days=1)
    ActivityRun.objects.update(due_at=timezone.now() - day, opens_at=timezone.now() + day)
    return release


def test_an_owner_finds_what_waits_for_them_and_retries_it(
    live_server: LiveServer, page: Page, complaints: list[str], release: Release, owner: User
) -> None:
    sign_in(page, live_server, "owner")
    page.get_by_role("link", name="Check", exact=True).click()
    expect(page.get_by_text("lag too high").first).to_be_visible()
    page.get_by_label("Limit").fill("50")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("complementary").get_by_text("Queued").first).to_be_visible()
    work(release)
    expect(page.get_by_role("complementary").get_by_text("Succeeded").first).to_be_visible(timeout=6000)
    assert run_of(release, "prepare/check").inputs == {"limit": 50}


def test_a_refresh_keeps_what_is_typed_open_and_focused(
    live_server: LiveServer, page: Page, complaints: list[str], release: Release, owner: User
) -> None:
    sign_in(page, live_server, "owner")
    page.goto(f"{live_server.url}{panel_of(run_of(release, 'prepare/check'))}")
    page.get_by_text("go on without it").click()
    page.locator("#ignore-reason").fill("half a rea")
    page.locator("#retry-reason").fill("other")
    page.locator("#ignore-reason").focus()
    with page.expect_response(lambda response: response.request.headers.get("hx-request") == "true"):
        pass
    with page.expect_response(lambda response: response.request.headers.get("hx-request") == "true"):
        pass
    page.keyboard.type("son")
    expect(page.locator("#ignore-reason")).to_have_value("half a reason")
    expect(page.locator("#retry-reason")).to_have_value("other")


def test_a_manager_starts_a_release_with_an_override(
    live_server: LiveServer, page: Page, complaints: list[str], release: Release, manager: User
) -> None:
    sign_in(page, live_server, "manager")
    page.get_by_role("link", name="New release").click()
    page.get_by_role("link", name="Database move").click()
    page.get_by_label("Name required").fill("Second")
    page.get_by_label("Input set").select_option("Usual")
    page.get_by_role("button", name="Next: values").click()
    page.get_by_label("version").fill("2.5")
    page.keyboard.press("Enter")  # checks; it must not start
    expect(page.get_by_text("given on the release")).to_be_visible()
    page.get_by_role("button", name="Create and start").click()
    expect(page.get_by_role("heading", name="Second")).to_be_visible()
    page.get_by_role("link", name="Values").click()
    expect(page.get_by_text("2.5")).to_be_visible()


def test_searching_narrows_the_list_as_one_types(
    live_server: LiveServer, page: Page, complaints: list[str], release: Release, manager: User
) -> None:
    plan(release.process, manager, name="Alpha")
    sign_in(page, live_server, "manager")
    page.goto(f"{live_server.url}/releases/")
    page.get_by_label("Search releases").fill("alp")
    expect(page.get_by_role("link", name="Move the")).to_have_count(0)
    expect(page.get_by_role("link", name="Alpha")).to_be_visible()
    assert page.url.endswith("/releases/?q=alp")


def test_menus_open_and_close_by_keyboard_and_the_look_is_remembered(
    live_server: LiveServer, page: Page, complaints: list[str], release: Release, manager: User
) -> None:
    sign_in(page, live_server, "manager")
    page.goto(f"{live_server.url}{page_of(release)}")
    summary = page.locator("#ask-abort > summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#reason-abort")).to_be_visible()
    page.locator("#reason-abort").focus()
    page.keyboard.press("Escape")
    expect(page.locator("#reason-abort")).to_be_hidden()
    expect(summary).to_be_focused()
    page.locator("details.me > summary").click()
    page.get_by_role("button", name="Light or dark").click()
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"


def every_page(release: Release, draft: Release) -> list[str]:
    runs = ("prepare/check", "prepare/runbook", "move/vendor", "move/cut")
    parts = ("", "values/", "outputs/", "events/")
    return [
        "/",
        "/releases/",
        "/releases/?q=nothing-like-it",
        "/releases/new/",
        "/releases/new/?process=move",
        page_of(draft),
        page_of(draft, "start/"),
        *(page_of(release, part) for part in parts),
        *(panel_of(run_of(release, path)) for path in runs),
        "/nowhere/",
    ]


def test_every_page_suits_everybody(
    live_server: LiveServer, screen: Page, share: slice, release: Release, manager: User, owner: User
) -> None:
    draft = plan(release.process, manager, name="Alpha")
    manager.groups.add(*owner.groups.all())
    found = look_at(screen, f"{live_server.url}/sign-in/")
    sign_in(screen, live_server, "manager")
    for address in every_page(release, draft)[share]:
        found += look_at(screen, live_server.url + address)
    assert found == []


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 360, "height": 700}, has_touch=True, is_mobile=True)
    yield context
    context.close()


def test_nothing_is_wider_than_a_small_phone(
    live_server: LiveServer, phone: BrowserContext, release: Release, manager: User, owner: User
) -> None:
    draft = plan(release.process, manager, name="W" * 180, version="9" * 90)
    manager.groups.add(*owner.groups.all())
    page = phone.new_page()
    sign_in(page, live_server, "manager")
    for address in every_page(release, draft):
        page.goto(live_server.url + address)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert (address, width) == (address, 360)
