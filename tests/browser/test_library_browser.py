"""The library's pages, freezes and the audit search in a real browser: both looks, a phone, by keyboard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from activities.models import Connection
from processes.services.applying import apply
from releases.groups import save_group
from releases.models import ReleaseGroup
from releases.services.exempting import ask_exception
from releases.services.freezing import stop_the_line
from tests.browser.looks import look, sign_in
from tests.edges.pages import publish
from tests.edges.test_pages_library import DEPLOY, SHOP

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "מהדורה " + "of everything that goes to every customer " * 4
ADDRESSES = [
    "/processes/",
    "/processes/?q=nothing",
    "/processes/shop/",
    "/processes/shop/revisions/",
    "/processes/shop/changes/",
    "/processes/shop/input-sets/",
    "/processes/shop/used-by/",
    "/processes/long/",
    "/store/",
    "/ready-made/",
    "/store/deploy/",
    "/store/deploy/changes/",
    "/store/deploy/used-by/",
    "/freezes/",
    "/audit/",
    "/audit/?since=x",
    "/groups/train/",
]


@pytest.fixture
def library(groups: Any, manager: User, settings: Any) -> str:
    """Everything the pages show, for a manager who may see it all; returns the address of a freeze."""
    settings.PROVIDERS = {"scripted": "tests.fakes.scripted_runner"}
    now = timezone.now()
    names = ("view_event", "view_activity", "add_activity", "publish_activity", "view_connection")
    manager.user_permissions.add(*Permission.objects.filter(codename__in=names))
    Connection.objects.create(slug="prometheus", name="Prometheus", provider="prometheus")
    publish(SHOP.partition("---")[0].replace("activity: deploy, with: {service: cart}", "wait: 1s"))
    apply(None, DEPLOY, now=now, publish=True)
    apply(None, SHOP, now=now)
    text = SHOP.partition("---")[0].replace("id: shop", "id: long").replace("name: Shop", f"name: {LONG[:150]}")
    apply(None, text, now=now)
    apply(None, DEPLOY.replace("max: 100", "max: 50"), now=now)
    rule = {"rrule": "FREQ=DAILY", "start": "2026-01-08T09:00", "timezone": "UTC", "duration": "2h"}
    document = {"kind": "ReleaseGroup", "id": "train", "name": "Train", "process": "shop", "cadence": rule}
    save_group(None, document, now=now)
    freeze = stop_the_line(None, scope={"groups": ["train"]}, reason=LONG, until=None, now=now)
    group = ReleaseGroup.objects.get()
    ask_exception(None, freeze, reason="A demo", expires_at=now + timedelta(days=1), now=now, group=group)
    return f"/freezes/{freeze.slug}/"


def test_every_page_suits_everybody(live_server: LiveServer, screen: Page, share: slice, library: str) -> None:
    sign_in(screen, live_server, "manager")
    found: list[str] = []
    for address in [*ADDRESSES, library][share]:
        screen.goto(live_server.url + address)
        screen.evaluate("document.querySelectorAll('main details:not(.menu)').forEach((fold) => { fold.open = true; })")
        found += look(screen)
    assert found == []


def test_an_exception_is_granted_and_found_in_the_trail(
    live_server: LiveServer, page: Page, complaints: list[str], library: str
) -> None:
    sign_in(page, live_server, "manager")
    page.get_by_role("link", name="Freezes", exact=True).click()
    page.get_by_role("link", name="Line stopped").click()
    page.get_by_text("Grant", exact=True).first.click()
    page.get_by_role("button", name="Grant").click()
    expect(page.get_by_text("Granted", exact=True)).to_be_visible()
    page.get_by_role("link", name="Audit", exact=True).click()
    page.get_by_label("What happened").fill("freeze_exception.granted")
    page.keyboard.press("Enter")
    expect(page.get_by_text("freeze_exception.granted").first).to_be_visible()
    page.get_by_text("1 change").click()
    expect(page.get_by_role("cell", name="pending")).to_be_visible()
