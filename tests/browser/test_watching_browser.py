"""The graph, the timeline, the wall and the runbook in a real browser."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from releases.models import Release
from tests import fakes
from tests.browser.looks import look_at, sign_in
from tests.builders import phase_of, run_of
from tests.edges.pages import page_of, plan, publish, start

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

#: start ──> left, right ──> end; left holds two activities
DIAMOND = """
kind: Process
id: diamond
name: Diamond
phases:
  - {id: start, name: Start, owners: [group:qa], activities: [{id: go, name: Go, manual: {instructions: Go.}}]}
  - {id: left, name: Left, owners: [group:qa], depends_on: [start], activities: [
      {id: a, name: Ah, wait: 1h}, {id: b, name: Bee, depends_on: [a], wait: 1h}]}
  - {id: right, name: Right مرحلة, owners: [group:qa], depends_on: [start], activities: [{id: c, name: Cee, wait: 1h}]}
  - {id: end, name: End, owners: [group:qa], depends_on: [left, right], activities: [{id: d, name: Dee, wait: 1h}]}
"""
PARTS = ("", "timeline/", "wall/", "runbook/")


@pytest.fixture
def release(settings: Settings, manager: User) -> Release:
    settings.PROVIDERS = {"scripted": "tests.fakes.scripted_runner"}
    fakes.renew()
    return start(publish(DIAMOND), manager)


def test_arrows_follow_the_edges_and_enter_opens_the_phase(
    live_server: LiveServer, page: Page, complaints: list[str], release: Release, manager: User
) -> None:
    sign_in(page, live_server, "manager")
    page.goto(live_server.url + page_of(release))
    node = {name: page.locator(f"#node-phase-{phase_of(release, name).pk} > .node-link") for name in
            ("start", "left", "right", "end")}  # fmt: skip
    expect(page.locator("#level-top > svg path")).to_have_count(4)
    boxes = {name: link.locator("..").bounding_box() for name, link in node.items()}
    assert all(boxes.values())
    xs, ys = ({name: box[axis] for name, box in boxes.items() if box} for axis in ("x", "y"))
    assert xs["start"] < xs["left"] == xs["right"] < xs["end"]
    across = "ArrowDown" if ys["right"] > ys["left"] else "ArrowUp"
    node["start"].focus()
    for key, name in (("ArrowRight", "left"), (across, "right"), ("ArrowRight", "end"), ("ArrowLeft", "left")):
        page.keyboard.press(key)
        expect(node[name]).to_be_focused()
    page.keyboard.press(" ")
    inner = page.locator(f"#node-run-{run_of(release, 'left/b').pk}")
    expect(inner).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(f"#phase-{phase_of(release, 'left').pk} > summary")).to_be_focused()


def test_a_refresh_leaves_the_graph_as_it_is_laid_out(
    live_server: LiveServer, page: Page, complaints: list[str], release: Release, manager: User
) -> None:
    sign_in(page, live_server, "manager")
    page.goto(live_server.url + page_of(release))
    left = page.locator(f"#node-phase-{phase_of(release, 'left').pk}")
    page.locator(f"#inner-phase-{phase_of(release, 'left').pk} > summary").click()
    expect(page.locator(f"#node-run-{run_of(release, 'left/a').pk}")).to_be_visible()
    before = left.bounding_box()
    type(release).objects.filter(pk=release.pk).update(name="Renamed")
    page.evaluate("htmx.trigger('#live', 'live')")
    expect(page.get_by_role("heading", name="Renamed")).to_be_visible(timeout=6000)
    assert left.bounding_box() == before
    expect(page.locator("#level-top > svg path")).to_have_count(4)
    expect(page.locator(f"#node-run-{run_of(release, 'left/a').pk}")).to_be_visible()


def test_every_part_suits_everybody(
    live_server: LiveServer, screen: Page, share: slice, release: Release, manager: User
) -> None:
    draft = plan(release.process, manager, name="Alpha " * 20)
    addresses = [page_of(one, part) for one in (release, draft) for part in PARTS]
    sign_in(screen, live_server, "manager")
    assert [line for address in addresses[share] for line in look_at(screen, live_server.url + address)] == []
