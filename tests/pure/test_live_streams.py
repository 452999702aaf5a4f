"""A stream from its permission to its end, before a site that is made up: the server is played by the test."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from config.bridge import Bridge
from config.live import streams
from config.live.hub import Hub
from config.live.streams import Site
from tests.loops import finish

Message = dict[str, Any]
SCOPE = {"type": "http", "method": "GET", "path": "/live/", "query_string": b"topics=releases&age=0", "headers": []}


class Visit:
    """One request to the site: what it sent back, and the reader's leaving."""

    def __init__(self, site: Site, **scope: Any) -> None:
        self.sent: list[Message] = []
        self._left = asyncio.Event()
        self.task = asyncio.ensure_future(site({**SCOPE, **scope}, self._receive, self._send))

    async def _receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    def leave(self) -> None:
        self._left.set()

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def told(self) -> list[str]:
        pieces = b"".join(message.get("body", b"") for message in self.sent).decode().split("\n\n")
        return [piece.replace("event: ", "").replace("\ndata: ", " ").strip() for piece in pieces if piece]


class MadeUp:
    """A site that grants what `headers` says with `status`, and a hub which hears."""

    def __init__(self, **limits: int) -> None:
        self.status = 204
        self.headers = [
            (b"x-pilothouse-topics", b"release:1 releases"),
            (b"x-pilothouse-person", b"7"),
            (b"x-kept", b"1"),
        ]
        self.hub = Hub("redis://localhost/0", **{"seats": 5, "each": 5, **limits})
        self.hub.hears()
        self.site = Site(cast("Bridge", self._answer), self.hub)

    async def _answer(self, _scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"" if self.status == 204 else b"no"})


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "GAP", 0.0)
    monkeypatch.setattr(streams, "MARGIN", -10.0)  # the hub has heard since just now


async def soon(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def test_what_changes_is_told_until_the_reader_leaves() -> None:
    async def story() -> None:
        made = MadeUp()
        visit = Visit(made.site)
        await soon(lambda: visit.told == ["ready"])
        made.hub.hear("1 2")
        await soon(lambda: visit.told[1:] == ["change release:1 releases"])
        visit.leave()
        await asyncio.wait_for(visit.task, 5)
        assert len(made.hub) == 0
        headers = dict(visit.sent[0]["headers"])
        assert (visit.status, headers[b"content-type"]) == (200, b"text/event-stream; charset=utf-8")
        assert headers[b"x-kept"] == b"1"
        assert b"x-pilothouse-person" not in headers

    finish(story())


def test_a_refusal_is_passed_on_as_it_is() -> None:
    async def story() -> None:
        made = MadeUp()
        made.status, made.headers = 404, [(b"content-type", b"text/plain")]
        visit = Visit(made.site)
        await asyncio.wait_for(visit.task, 5)
        assert (visit.status, visit.told) == (404, ["no"])

    finish(story())


def test_too_many_streams_are_refused_and_so_is_everybody_while_redis_is_away() -> None:
    async def story() -> None:
        made = MadeUp(each=1)
        first = Visit(made.site)
        await soon(lambda: first.told)
        second = Visit(made.site)
        await asyncio.wait_for(second.task, 5)
        assert second.status == 429
        made.hub.close()
        await asyncio.wait_for(first.task, 5)
        third = Visit(made.site)
        await asyncio.wait_for(third.task, 5)
        assert third.status == 503
        assert dict(third.sent[0]["headers"])[b"retry-after"] == b"10"

    finish(story())


@pytest.mark.parametrize("status", [401, 404])
def test_a_stream_ends_when_the_session_or_the_permission_has_gone(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "ASK_AGAIN", 0.05)
    monkeypatch.setattr(streams, "BEAT", 0.02)

    async def story() -> None:
        made = MadeUp()
        visit = Visit(made.site)
        await soon(lambda: visit.told.count("beat") > 5)
        made.status, made.headers = status, []
        await asyncio.wait_for(visit.task, 5)
        assert visit.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
        assert len(made.hub) == 0

    finish(story())


def test_a_reader_who_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PATIENCE", 0.05)

    async def story() -> None:
        made = MadeUp()

        async def stuck(message: Message) -> None:
            if message.get("body"):
                await asyncio.sleep(60)

        async def silent() -> Message:
            await asyncio.sleep(60)
            return {}

        await asyncio.wait_for(made.site(dict(SCOPE), silent, cast("Any", stuck)), 5)
        assert len(made.hub) == 0

    finish(story())


@pytest.mark.parametrize(
    ("query", "age"), [(b"", 0), (b"age=1500", 1.5), (b"age=-1", 0), (b"age=x", 0), (b"age=nan", 0)]
)
def test_a_page_says_how_old_it_is(query: bytes, age: float) -> None:
    assert streams.age_of({"query_string": query}) == age
