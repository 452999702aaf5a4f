"""Every address of the API, found in the URL conf itself: what somebody may not see is not there for them.

A new endpoint is in this test from its first day; if it answers a stranger with more than nothing, the test fails until
the endpoint is scoped, or named here with the reason why it is for everybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver

from config.models import Event
from releases.models import Release
from tests.edges.calls import Answer, Caller
from tests.edges.things import make_things

pytestmark = pytest.mark.django_db

#: Says the same to everybody, even without signing in.
PUBLIC = {"schema/", "docs/"}
#: Says nothing but what is the caller's own.
OWN = {"me/", "preferences/", "notices/read/"}
#: What a stranger is told where there is no single thing to be hidden: (method, address) -> status.
REFUSED = {
    ("post", "apply/"): 403,
    ("get", "store/shipped/"): 403,
    ("post", "store/shipped/"): 403,
    ("post", "releases/"): 400,  # it names a process which they may not see
    ("post", "freeze-exceptions/"): 400,  # it names a freeze and a release which they may not see
    ("post", "stop-the-line/"): 403,
    ("get", "events/"): 403,
    ("get", "free-slot/"): 400,  # it names no resource
    ("post", "release-groups/difference/"): 400,  # it names nothing; see test_api_dates
    ("put", "secrets/key/"): 403,
    ("post", "saved-views/"): 400,  # it has no name; anybody may keep one, which shows what they may see
    ("post", "calendar-feeds/"): 400,  # it names no kind; anybody may make one, of what they may see
}


def routes() -> list[tuple[str, list[str]]]:
    """Every address under /api/v1/ with its methods, as in `activities/<document:slug>/`."""
    return sorted(_routes(get_resolver().url_patterns, ""))


def _routes(patterns: list[Any], prefix: str) -> Iterator[tuple[str, list[str]]]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if "api/v1/".startswith(address[:7]):
                yield from _routes(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern) and address.startswith("api/v1/"):
            actions = getattr(pattern.callback, "actions", None) or {"get": ""}
            yield address.removeprefix("api/v1/"), [method for method in actions if method != "head"]


ALL = [(address, method) for address, methods in routes() for method in methods]


@pytest.fixture
def things(author: User) -> dict[str, str]:
    return make_things(author)


def filled(address: str, things: dict[str, str]) -> str:
    """The address with ids of things that exist."""
    return re.sub(r"([a-z-]+)/<[a-z]+:[a-z]+>", lambda found: f"{found[1]}/{things[found[1]]}", address)


def ask(caller: Caller, method: str, address: str) -> Answer:
    bodies = {
        "apply/": "{kind: Resource, id: x, name: X, type: service}",
        "releases/": '{"process": "small", "name": "x"}',
    }
    body = bodies.get(address, '{"value": "x"}' if address.startswith("secrets/") else "{}")
    return caller.call(method.upper(), address, body, If_Match="*")


def test_the_walk_finds_the_addresses() -> None:
    assert len(ALL) > 60
    assert ("releases/<row:pk>/start/", "post") in ALL


def walk(caller: Caller, things: dict[str, str], complaint: Callable[[str, str, Answer], str]) -> list[str]:
    """Ask every address with every method, each time on the same ground; return the complaints."""
    complaints = []
    for address, method in ALL:
        path = filled(address, things)
        before = Event.objects.count()
        with transaction.atomic():
            answer = ask(caller, method, path)
            changed = Event.objects.count() - before
            transaction.set_rollback(True)
        if words := complaint(address, method, answer) or (answer.status >= 400 and changed and "it changed something"):
            complaints.append(f"{method} {path}: {words}, got {answer!r}")
    return complaints


def test_a_stranger_finds_nothing(things: dict[str, str], stranger: User) -> None:
    def complaint(address: str, method: str, answer: Answer) -> str:
        if address in PUBLIC | OWN or (address, method) == ("tokens/", "post"):
            return ""
        if status := REFUSED.get((method, filled(address, things))):
            return "" if answer.status == status and answer.code else f"expected {status}"
        if "<" in address:
            return "" if answer.status == 404 and answer.code == "not_found" else "expected 404"
        return "" if answer.status == 200 and (answer.raw == b"" or answer["results"] == []) else "expected nothing"

    assert walk(Caller(stranger), things, complaint) == []


def test_nobody_in_particular_is_asked_to_sign_in(things: dict[str, str]) -> None:
    def complaint(address: str, method: str, answer: Answer) -> str:
        refused = answer.status == 401 and answer.code == "not_signed_in"
        scheme = answer.headers.get("WWW-Authenticate", "").startswith("Bearer")
        return "" if address in PUBLIC or (refused and scheme) else "expected 401"

    assert walk(Caller(), things, complaint) == []


def test_the_admin_gets_an_answer_everywhere(things: dict[str, str], admin: User) -> None:
    def complaint(address: str, method: str, answer: Answer) -> str:
        is_anothers = address.startswith(("tokens/<", "calendar-feeds/<", "saved-views/<"))
        expected = answer.status == 404 if is_anothers else answer.status in (200, 201, 204, 400, 409, 415, 424)
        return "" if expected else "expected an answer"

    assert walk(Caller(admin), things, complaint) == []


def test_a_stranger_may_look_at_themselves(stranger: User, things: dict[str, str]) -> None:
    answer = Caller(stranger).get("me/")
    assert (answer["username"], answer["groups"], answer["waiting"]) == ("stranger", [], [])


def test_who_may_see_but_not_do_is_told_so(things: dict[str, str], owner: User) -> None:
    release = Release.objects.get()
    release.created_by = owner
    release.save()
    caller = Caller(owner)
    assert caller.get(f"releases/{release.pk}/").status == 200
    answer = caller.post(f"releases/{release.pk}/pause/")
    assert (answer.status, answer.code) == (403, "not_permitted")
