"""Every page that the navigation leads to, for somebody who may see nothing of what there is."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from releases.freeze_documents import save_freeze
from tests.edges.pages import KINDS, Reader, publish, start
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db


#: What each page says then, by its address.
TOLD = {
    "/": "No releases yet",
    "/releases/": "No releases yet",
    "/calendar/": "There is none that you may see",
    "/groups/": "No release groups",
    "/notices/": "Nothing to tell you",
    "/freezes/": "No freezes",
    "/processes/": "No processes",
    "/store/": "The store is empty",
    "/environments/": "Nothing is anywhere yet",
    "/audit/": "No events",
    "/api/v1/docs/": "",
}


def test_who_may_see_nothing_is_told_so_on_every_page(engine: ScriptedRunner, manager: User, stranger: User) -> None:
    start(publish(KINDS), manager)
    window = {"start": "2026-01-01T00:00", "end": "2099-01-01T00:00", "timezone": "UTC"}
    hush = {"kind": "Freeze", "id": "hush", "name": "Hush", "scope": {"everything": True}, "window": window}
    save_freeze(None, hush, now=timezone.now())
    reader = Reader(stranger)
    reader.open("/")
    menu = reader.source.partition('id="navigation"')[2].partition("</nav>")[0]
    assert re.findall(r'<a href="([^"]+)"', menu) == list(TOLD)
    for address, words in TOLD.items():
        text = reader.open(address)
        assert (address, reader.status, words in text) == (address, 200, True)
        assert ("Database move" in text, "Spring" in text, "Hush" in text) == (False, False, False)
