"""Open pages in a real browser, before the real web process, while workers and other people change what they show."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect
from pytest_django.fixtures import Settings

from activities.models import Connection
from releases.models import ActivityRun, Release
from releases.services import running
from tests import builders, fakes
from tests.builders import run_of
from tests.edges.pages import KINDS, page_of, panel_of, plan, publish, start
from tests.web import Web, session_of, worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SECOND = 1000
SLOW = """
id: slow
phases:
  - id: only
    activities:
      - {id: one, automated: {connection: local, command: [sleep, "4"]}}
      - {id: two, depends_on: [one], automated: {connection: local, command: [sleep, "4"]}}
      - {id: three, depends_on: [two], automated: {connection: local, command: [sleep, "4"]}}
"""
#: Notes when each activity is first shown as succeeded.
WATCH = """() => {
  window.shown = {};
  const look = () => document.querySelectorAll("a.activity.is-succeeded").forEach((row) => {
    window.shown[row.closest("li").id.split("-")[1]] ??= Date.now();
  });
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


def until(page: Page, happened: Callable[[], bool]) -> None:
    """Waits at most 20 s for something that the browser did."""
    for _ in range(400):
        if happened():
            return
        page.wait_for_timeout(50)
    pytest.fail("it has not happened")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """The web process; nobody is refused a stream."""
    made = Web(tmp_path / "web.log")
    made.start()
    yield made
    made.stop(signal.SIGKILL)


@pytest.fixture
def release(settings: Settings, manager: User) -> Release:
    settings.PROVIDERS = {"scripted": "tests.fakes.scripted_runner"}
    fakes.renew()
    return start(publish(KINDS), manager)


def page_for(browser: Browser, web: Web, user: User) -> Page:
    """A tab of somebody who has signed in."""
    context = browser.new_context()
    sign_in(context, web, user)
    return context.new_page()


def sign_in(context: BrowserContext, web: Web, user: User) -> None:
    context.add_cookies([{"name": name, "value": value, "url": web.url} for name, value in session_of(user).items()])


def is_live(page: Page) -> None:
    expect(page.locator("[data-live-mark]")).to_have_text("Live", timeout=30 * SECOND)


def refreshes(page: Page) -> list[str]:
    """The addresses that the page fetches anew from now on; the count beside Home, fetched once a page, is none."""
    found: list[str] = []

    def note(request: Request) -> None:
        if "hx-request" in request.headers and not request.url.endswith("/home/waiting/"):
            found.append(request.url)

    page.on("request", note)
    return found


def test_what_a_worker_does_shows_within_a_second(browser: Browser, web: Web, tmp_path: Path, manager: User) -> None:
    Connection.objects.create(slug="local", name="This machine", provider="local")
    with worker(tmp_path / "worker.log"):
        release = builders.start(SLOW, now=timezone.now())
        page = page_for(browser, web, manager)
        page.goto(web.url + page_of(release))
        is_live(page)
        page.evaluate(WATCH)
        expect(page.locator("a.activity.is-succeeded")).to_have_count(3, timeout=90 * SECOND)
        shown = {int(run): moment / 1000 for run, moment in page.evaluate("window.shown").items()}
    finished = ActivityRun.objects.filter(release=release).exclude(finished_at=None)
    delays = [shown[run.pk] - run.finished_at.timestamp() for run in finished if run.finished_at]
    assert median(delays) < 1, delays


def test_two_people_see_each_other_s_changes(
    browser: Browser, web: Web, release: Release, manager: User, owner: User
) -> None:
    one, other = page_for(browser, web, manager), page_for(browser, web, owner)
    one.goto(web.url + page_of(release))
    other.goto(web.url + panel_of(run_of(release, "prepare/runbook")))
    lists = page_for(browser, web, manager)
    lists.goto(web.url + "/releases/")
    for page in (one, other, lists):
        is_live(page)
    one.get_by_role("button", name="Pause").click()
    expect(other.locator("#head").get_by_text("Paused")).to_be_visible(timeout=20 * SECOND)
    expect(lists.locator("#list").get_by_text("Paused")).to_be_visible(timeout=20 * SECOND)
    other.get_by_role("textbox", name="Comment", exact=True).fill("Wait for me")
    other.get_by_role("button", name="Comment").click()
    one.goto(web.url + panel_of(run_of(release, "prepare/runbook")))
    expect(one.get_by_text("Wait for me")).to_be_visible()


def test_a_page_that_is_up_to_date_asks_for_nothing_and_a_burst_costs_few_refreshes(
    browser: Browser, web: Web, release: Release, manager: User
) -> None:
    page = page_for(browser, web, manager)
    asked = refreshes(page)
    time.sleep(2.5)  # older than the margin: the page need not look again when it begins to listen
    page.goto(web.url + page_of(release))
    is_live(page)
    page.wait_for_timeout(1500)
    assert asked == []
    for _ in range(15):
        running.pause_release(manager, release, now=timezone.now())
        running.resume_release(manager, release, now=timezone.now())
    page.wait_for_timeout(2500)
    assert 1 <= len(asked) <= 8
    expect(page.locator("#head").get_by_text("Running", exact=True)).to_be_visible()


def test_a_page_survives_a_new_web_process_and_catches_up(
    browser: Browser, web: Web, release: Release, manager: User
) -> None:
    page = page_for(browser, web, manager)
    page.goto(web.url + page_of(release))
    is_live(page)
    assert web.stop() < 10  # not kept by the open stream
    running.pause_release(manager, release, now=timezone.now())
    expect(page.locator("[data-live-mark]")).to_have_text("Reconnecting", timeout=20 * SECOND)
    web.start()
    is_live(page)
    expect(page.locator("#head").get_by_text("Paused")).to_be_visible(timeout=20 * SECOND)
    running.resume_release(manager, release, now=timezone.now())
    expect(page.locator("#head").get_by_text("Running", exact=True)).to_be_visible(timeout=20 * SECOND)


def test_a_page_asks_from_time_to_time_when_it_is_refused_a_stream(
    browser: Browser, tmp_path: Path, release: Release, manager: User
) -> None:
    full = Web(tmp_path / "full.log", PILOTHOUSE_LIVE_STREAMS="0")
    full.start()
    try:
        page = page_for(browser, full, manager)
        page.goto(full.url + page_of(release))
        running.pause_release(manager, release, now=timezone.now())
        expect(page.locator("#head").get_by_text("Paused")).to_be_visible(timeout=20 * SECOND)
        expect(page.locator("[data-live-mark]")).to_have_text("Reconnecting")
    finally:
        full.stop(signal.SIGKILL)


def test_whoever_signs_out_elsewhere_is_asked_to_sign_in(
    browser: Browser, web: Web, release: Release, manager: User
) -> None:
    page = page_for(browser, web, manager)
    page.goto(web.url + page_of(release))
    is_live(page)
    page.context.clear_cookies()
    running.pause_release(manager, release, now=timezone.now())
    expect(page.get_by_label("Password")).to_be_visible(timeout=20 * SECOND)


def test_a_filter_chosen_while_the_list_refreshes_is_not_undone(
    browser: Browser, web: Web, release: Release, manager: User
) -> None:
    plan(release.process, manager, name="Alpha")
    page = page_for(browser, web, manager)
    page.goto(web.url + "/releases/")
    is_live(page)
    held: list[Route] = []
    page.route("**/releases/**", lambda route: held.append(route))
    running.pause_release(manager, release, now=timezone.now())
    until(page, lambda: len(held) == 1)
    page.get_by_label("Search releases").fill("alp")
    until(page, lambda: len(held) == 2)
    running.resume_release(manager, release, now=timezone.now())
    page.wait_for_timeout(1500)
    assert ["q=alp" in route.request.url for route in held] == [False, True]
    held[1].continue_()
    page.unroute("**/releases/**")
    expect(page.get_by_role("link", name="Spring")).to_have_count(0)
    expect(page.get_by_role("link", name="Alpha")).to_be_visible()
    page.wait_for_timeout(1500)
    expect(page.get_by_role("link", name="Spring")).to_have_count(0)
