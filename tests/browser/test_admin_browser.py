"""An author in the admin with a real browser: a process with two phases and a dependency, checked and published."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from processes import drafts
from processes.models import Process

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(live_server: LiveServer, page: Page, admin: User, groups: dict[str, Group]) -> Iterator[Page]:
    """The admin, signed in; whatever the browser complains about fails the test."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{live_server.url}/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Processes").first).to_be_visible()
    yield page
    assert complaints == []


def choose(page: Page, field: str, name: str) -> None:
    """Search for a name in a box for several names, and take it."""
    box = page.locator(f"select[name='{field}'] + .select2")
    box.click()
    box.locator("input.select2-search__field").press_sequentially(name, delay=20)
    page.locator(".select2-results__option", has_text=name).first.click()
    expect(box).to_contain_text(name)


def add_phase(page: Page, at: int, slug: str, name: str) -> None:
    page.get_by_role("link", name="Add another Phase").click()
    page.locator(f"input[name='phases-{at}-slug']").fill(slug)
    page.locator(f"input[name='phases-{at}-name']").fill(name)


def add_activity(page: Page, at: int, slug: str, rest: str) -> None:
    page.get_by_role("link", name="Add another Activity").click()
    row = page.locator(f"input[name='activities-{at}-slug']")
    if not row.is_visible():
        page.locator(".form-group.template:not(.empty-form) h3").nth(at).click()
    row.fill(slug)
    page.locator(f"textarea[name='activities-{at}-rest']").fill(rest)


def test_an_author_builds_checks_and_publishes_a_process(desk: Page, live_server: LiveServer) -> None:
    desk.goto(f"{live_server.url}/admin/processes/process/add/")
    desk.locator("input[name='slug']").fill("hotfix")
    desk.locator("input[name='name']").fill("Hotfix")
    add_phase(desk, 0, "build", "Build")
    choose(desk, "phases-0-owners", "group:development")
    add_phase(desk, 1, "ship", "Ship")
    choose(desk, "phases-1-depends_on", "biuld")  # somebody types it wrong
    desk.get_by_role("button", name="Save and continue editing").click()
    expect(desk.get_by_text("was added successfully")).to_be_visible()

    for phase, activity in (("build", "compile"), ("ship", "deploy")):
        desk.locator("tr", has=desk.locator(f"input[value='{phase}']")).get_by_role("link", name="Open").click()
        add_activity(desk, 0, activity, "wait: 1h")
        desk.get_by_role("button", name="Save", exact=True).click()
        expect(desk.get_by_text("was changed successfully")).to_be_visible()

    desk.get_by_role("link", name="Check draft").click()
    expect(desk.get_by_text("There is no phase 'biuld'.")).to_be_visible()
    desk.get_by_role("link", name="Back", exact=True).click()
    desk.locator("select[name='phases-1-depends_on'] + .select2 .select2-selection__choice__remove").click()
    desk.keyboard.press("Escape")
    choose(desk, "phases-1-depends_on", "build")
    desk.get_by_role("button", name="Save and continue editing").click()

    desk.get_by_role("link", name="Publish").click()
    desk.get_by_label("Why").fill("First")
    desk.get_by_role("button", name="Publish").click()
    expect(desk.get_by_text("Revision 1 was published.")).to_be_visible()

    process = Process.objects.get(slug="hotfix")
    assert process.revisions.get().document == drafts.load(process)
    assert [phase.get("depends_on") for phase in drafts.load(process)["phases"]] == [None, ["build"]]
    assert drafts.load(process)["phases"][0]["owners"] == ["group:development"]


def test_rows_are_dragged_into_another_order(desk: Page, live_server: LiveServer) -> None:
    process = Process.objects.create(slug="order", name="Order")
    for at, slug in enumerate(("one", "two", "three")):
        process.phases.create(slug=slug, name=slug, position=at)
    desk.set_viewport_size({"width": 1380, "height": 1200})
    desk.goto(f"{live_server.url}/admin/processes/process/{process.pk}/change/")
    handles = desk.locator("tbody.original [x-sort\\:handle]")
    handles.nth(2).scroll_into_view_if_needed()
    start, end = handles.nth(0).bounding_box(), handles.nth(2).bounding_box()
    assert start is not None
    assert end is not None
    desk.mouse.move(start["x"] + 8, start["y"] + 8)
    desk.mouse.down()
    desk.mouse.move(end["x"] + 8, end["y"] + end["height"] - 4, steps=20)
    desk.mouse.up()
    expect(desk.locator("input[name='phases-0-position']")).to_have_value("2")
    desk.get_by_role("button", name="Save and continue editing").click()
    expect(desk.get_by_text("was changed successfully")).to_be_visible()

    assert list(process.phases.values_list("slug", flat=True)) == ["two", "three", "one"]


@pytest.mark.parametrize("width", [390, 1380])
def test_pages_fit_their_screen(desk: Page, live_server: LiveServer, width: int) -> None:
    process = Process.objects.create(slug="fits", name="A process with a name of some length")
    phase = process.phases.create(slug="phase", name="A phase", owners=["group:release-managers"])
    phase.activities.create(slug="one", body={"wait": "1h"})
    desk.set_viewport_size({"width": width, "height": 844})
    pages = (
        "",
        "processes/process/",
        f"processes/process/{process.pk}/change/",
        f"processes/phase/{phase.pk}/change/",
        f"processes/process/{process.pk}/check/",
        f"processes/process/{process.pk}/text/",
    )
    for at in pages:
        desk.goto(f"{live_server.url}/admin/{at}")
        assert desk.evaluate("document.documentElement.scrollWidth") <= width, at
