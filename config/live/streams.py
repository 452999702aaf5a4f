"""The site with its streams: `/live/` as server-sent events, everything else as it was.

1. The site's own view decides who may hear what (see `grant`), through the same middleware as every page.
2. The stream takes a seat in the hub, says `ready`, then `change` with topics for as long as both sides live.
3. It says `beat` when nothing happens, so that a page notices a connection that is dead.
4. Each minute the view is asked again: when the session or a permission has gone, the stream ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from config.bridge import Bridge, Message, Receive, Scope, Send, send_plain
from config.live.grant import Grant, grant_in
from config.live.hub import Deaf, Full, Hub, Seat

ADDRESS = "/live/"
BEAT = 15.0  # seconds of silence before a beat
ASK_AGAIN = 60.0  # seconds after which permissions are looked at again
GAP = 0.2  # seconds between two words to one page: what happens meanwhile is told together
MARGIN = 2.0  # seconds that a page may be older than it says: its words were under way
PATIENCE = 30.0  # seconds for a slow reader to take one word
NOT_NOW = [(b"retry-after", b"10"), (b"cache-control", b"no-store")]
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]


@dataclass(slots=True)
class Answer:
    """What the site answered."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    bodies: list[Message] = field(default_factory=list)


class Site:
    """The ASGI application: the site behind its bridge, and its streams."""

    def __init__(self, site: Bridge, hub: Hub) -> None:
        self._site, self._hub = site, hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's beginning and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
        elif scope["path"] == ADDRESS and scope["method"] == "GET":
            await self._stream(scope, receive, send)
        else:
            await self._site(scope, receive, send)

    def end_streams(self) -> None:
        """End every stream: the server is about to stop."""
        self._hub.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "lifespan.shutdown":
            if message["type"] == "lifespan.startup":
                self._hub.start()
                await send({"type": "lifespan.startup.complete"})
        self._hub.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        came_at = time.monotonic()
        answer = await self._ask(scope)
        grant = grant_in(answer.headers)
        if grant is None:
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            for message in answer.bodies:
                await send(message)
            return
        try:
            seat = self._hub.take(grant.person, grant.topics, since=came_at - age_of(scope) - MARGIN)
        except Full:
            await send_plain(send, HTTPStatus.TOO_MANY_REQUESTS, NOT_NOW)
            return
        except Deaf:
            await send_plain(send, HTTPStatus.SERVICE_UNAVAILABLE, NOT_NOW)
            return
        try:
            await self._tell(scope, grant, seat, receive, send)
        except TimeoutError:
            return  # nobody takes what is told
        finally:
            self._hub.leave(seat)

    async def _tell(self, scope: Scope, grant: Grant, seat: Seat, receive: Receive, send: Send) -> None:
        """Tell of changes until the reader, the permission or the server goes. Raises TimeoutError."""
        names = {name for name, _ in HEADERS} | {b"content-length"}
        headers = [*HEADERS, *((name, value) for name, value in grant.headers if name not in names)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _say(send, "ready")
        leaving = asyncio.ensure_future(_gone(receive))
        leaving.add_done_callback(lambda _: seat.end())
        ask_at = time.monotonic() + ASK_AGAIN
        try:
            while (topics := await seat.next(BEAT)) is not None:
                if time.monotonic() >= ask_at:
                    if not await self._is_still(scope, grant):
                        break
                    ask_at = time.monotonic() + ASK_AGAIN
                await _say(send, "change" if topics else "beat", topics)
                await asyncio.sleep(GAP)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()

    async def _is_still(self, scope: Scope, grant: Grant) -> bool:
        """Return whether the site would grant the same now."""
        found = grant_in((await self._ask(scope)).headers)
        return found is not None and (found.person, found.topics) == (grant.person, grant.topics)

    async def _ask(self, scope: Scope) -> Answer:
        """Return what the site itself answers to the request."""
        answer = Answer()

        async def keep(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.headers = message["status"], list(message["headers"])
            else:
                answer.bodies.append(message)

        await self._site(scope, _nothing, keep)
        return answer


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _gone(receive: Receive) -> None:
    """Return when the reader has gone."""
    while (await receive())["type"] != "http.disconnect":
        continue


async def _say(send: Send, event: str, topics: Iterable[str] = ()) -> None:
    """Send one event. Raises TimeoutError when the reader does not take it."""
    text = f"event: {event}\ndata: {' '.join(topics)}\n\n"
    async with asyncio.timeout(PATIENCE):
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


def age_of(scope: Scope) -> float:
    """Return how many seconds old the page says it is."""
    given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("age", ["0"])[0]
    return min(int(given) / 1000, 1e9) if given.isascii() and given.isdecimal() and len(given) < 16 else 0.0
