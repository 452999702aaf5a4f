"""One release from its draft to its end in real browsers, before real web, worker and beat processes.

A manager starts it, an owner works on it and decides about its failures, a signer agrees, and somebody just watches.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect

from activities.models import Connection
from config.beat import ensure_tick
from processes.services.applying import apply
from tests.web import Web, beat, worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PATIENCE = 30_000  # milliseconds; two cores may have much else to do

#: prepare(build: fails until its limit is raised, notes: a task and a form) ──> agree(sure: a sign-off)
#:   ──> ship(scan: fails whatever one does ──> deploy: needs what scan and notes gave ──> settle: the tick ends it)
VOYAGE = """
kind: Process
id: voyage
name: Voyage
inputs: {version: {type: string, required: true, pattern: '^[0-9.]+$'}}
outputs: {cargo: "${{ phases.ship.activities.deploy.outputs.cargo }}"}
phases:
  - id: prepare
    name: Prepare
    owners: [group:development]
    activities:
      - id: build
        name: Build
        inputs: {limit: {type: integer, default: 10}}
        automated:
          connection: local
          command: [sh, -c, 'test "$LIMIT" -ge 50 || { echo "gave up at $LIMIT"; exit 3; }']
          parameters: {LIMIT: "${{ string(activity.inputs.limit) }}"}
      - id: notes
        name: Notes
        manual:
          tasks: [{id: read, name: Read them aloud, groups: [development]}]
          form: {risk: {type: enum, options: [low, high], required: true}}
  - id: agree
    name: Agree
    owners: [group:security]
    depends_on: [prepare]
    activities:
      - {id: sure, name: Are you sure, manual: {approval: {rules: [{group: security, count: 1}]}}}
  - id: ship
    name: Ship
    owners: [group:development]
    depends_on: [agree, prepare]
    activities:
      - id: scan
        name: Scan
        outputs: {report: {type: string}}
        automated: {connection: local, command: [sh, -c, 'echo no scanner here; exit 4']}
      - id: deploy
        name: Deploy
        depends_on: [scan]
        outputs: {cargo: {type: string}}
        automated:
          connection: local
          command: [sh, -c, 'echo "::output cargo=$VERSION with $REPORT at $RISK risk"']
          parameters:
            VERSION: "${{ inputs.version }}"
            REPORT: "${{ phases.ship.activities.scan.outputs.report }}"
            RISK: "${{ phases.prepare.activities.notes.outputs.risk }}"
      - {id: settle, name: Settle, depends_on: [deploy], wait: 1s}
---
kind: InputSet
id: usual
name: Usual
process: voyage
values: {inputs: {version: "1.0"}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Web]:
    """Web, worker and beat at work, with the process published."""
    Connection.objects.create(slug="local", name="This machine", provider="local")
    apply(None, VOYAGE, now=timezone.now(), publish=True)
    ensure_tick()
    web = Web(tmp_path / "web.log")
    with worker(tmp_path / "worker.log"), beat(tmp_path / "beat.log"):
        web.start()
        yield web
        web.stop(signal.SIGKILL)


@pytest.fixture
def tab_of(browser: Browser, site: Web) -> Iterator[Callable[[str], Page]]:
    """Opens a browser for somebody, who signs in; whatever a browser complains about fails the test."""
    complaints: list[str] = []

    def sign_in(name: str) -> Page:
        page = browser.new_context(base_url=site.url).new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda told: complaints.append(told.text) if told.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill("secret")
        page.get_by_role("button", name="Sign in").click()
        sees(page.get_by_role("heading", name="Home", exact=True))
        return page

    yield sign_in
    for context in browser.contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def signer(groups: dict[str, Group]) -> User:
    """Signs for security, and nothing more."""
    person = User.objects.create_user("signer", password="secret")
    person.groups.add(groups["security"])
    return person


def sees(what: Locator) -> None:
    """Wait until it is there to be seen."""
    expect(what).to_be_visible(timeout=PATIENCE)


def sees_activity(page: Page, name: str, state: str) -> None:
    """Wait until the list of activities on the page shows one in a state."""
    sees(page.locator(f"a.activity.is-{state}", has_text=name))


def open_release(page: Page) -> None:
    """Come upon the release in the list, which shows it as soon as it is there."""
    page.get_by_role("main").get_by_role("link", name="Autumn", exact=True).click()
    sees(page.get_by_role("heading", name="Autumn", exact=True))
    expect(page.locator("[data-live-mark]")).to_have_text("Live", timeout=PATIENCE)


def create_and_start(page: Page) -> None:
    """Plan a release with the usual values, and give it another version at its start."""
    page.get_by_role("link", name="New release").first.click()
    page.get_by_role("link", name="Voyage").click()
    page.get_by_label("Name required").fill("Autumn")
    page.get_by_label("Input set").select_option("Usual")
    page.get_by_role("button", name="Create as draft").click()
    page.get_by_role("link", name="Start", exact=True).click()
    page.get_by_label("version").fill("2.5")
    page.keyboard.press("Enter")  # checks; it must not start
    sees(page.get_by_text("given at start"))
    page.get_by_role("button", name="Start release").click()
    sees(page.locator("#head").get_by_text("Running", exact=True))


def retry_with_more(page: Page) -> None:
    """Give the failed build a higher limit."""
    page.get_by_role("link", name="Build", exact=True).click()
    sees(page.get_by_role("log").get_by_text("gave up at 10"))
    page.get_by_label("Limit").fill("50")
    page.get_by_role("button", name="Try again").click()
    sees(page.get_by_role("complementary").get_by_text("Succeeded").first)


def do_task_and_fill_in_form(page: Page) -> None:
    """Tick the task of the notes at home, then answer their form."""
    page.goto("/")
    page.get_by_role("button", name="Done: Read them aloud").click()
    sees(page.get_by_role("status").get_by_text("Task done: Notes"))
    page.get_by_role("link", name="Notes", exact=True).click()
    page.get_by_label("Risk").select_option("low")
    page.get_by_role("button", name="Send answers").click()
    sees(page.get_by_role("complementary").get_by_text("Succeeded").first)


def approve_at_home(page: Page) -> None:
    """Agree without leaving home, where the question appears by itself."""
    page.get_by_role("button", name="Approve Are you sure of Autumn").click()
    sees(page.get_by_role("status").get_by_text("Approved: Are you sure"))


def ignore_with_a_stand_in(page: Page) -> None:
    """Go on without the scan: say why, and give what its report would have been."""
    page.goto("/")
    page.get_by_role("link", name="Scan", exact=True).click()
    page.locator("#ask-ignore > summary").click()
    page.locator("#ignore-reason").fill("Scanned by hand")
    page.locator("#ask-ignore").get_by_label("Report").fill("report-7")
    page.get_by_role("button", name="Ignore the failure").click()
    sees(page.get_by_text("Reason: Scanned by hand"))


def test_a_release_from_its_draft_to_its_end(
    tab_of: Callable[[str], Page], manager: User, owner: User, signer: User, admin: User
) -> None:
    starter, doer, signing, watcher = (tab_of(name) for name in ("manager", "owner", "signer", "admin"))
    watcher.goto("/releases/")

    create_and_start(starter)
    open_release(watcher)
    watcher.evaluate("window.isSame = true")
    sees_activity(watcher, "Build", "on_hold")

    retry_with_more(doer)
    sees_activity(watcher, "Build", "succeeded")
    do_task_and_fill_in_form(doer)
    sees_activity(watcher, "Notes", "succeeded")

    approve_at_home(signing)
    sees_activity(watcher, "Are you sure", "succeeded")

    sees_activity(watcher, "Scan", "on_hold")
    ignore_with_a_stand_in(doer)
    sees_activity(watcher, "Scan", "ignored")
    sees(watcher.locator("a.activity", has_text="Scan").get_by_text("Scanned by hand"))
    sees_activity(watcher, "Deploy", "succeeded")
    sees(watcher.locator("#head").get_by_text("Partially succeeded", exact=True))
    sees(starter.locator("#head").get_by_text("Partially succeeded", exact=True))
    assert watcher.evaluate("window.isSame")
    watcher.get_by_role("link", name="Outputs").click()
    sees(watcher.get_by_text("2.5 with report-7 at low risk").first)
