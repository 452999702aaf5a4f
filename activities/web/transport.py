"""Requests over guarded connections, which are used again while they are open.

httpx's own pool looks at every connection for every request; with hundreds of slow ones that costs more than the
requests. Here the one that was used last is taken from a stack.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from activities.web.guard import Guard

KEPT_ALIVE = 30.0
"""Seconds that an idle connection is kept."""

Origin = tuple[bytes, bytes, int | None]


class GuardedTransport(httpx.AsyncBaseTransport):
    """At most so many requests at once, each on a connection that the guard has opened."""

    def __init__(self, guard: Guard, *, tls: ssl.SSLContext, connections: int) -> None:
        self._guard, self._tls = guard, tls
        self._room = asyncio.Semaphore(connections)
        self._idle: dict[Origin, list[httpcore.AsyncHTTPConnection]] = {}
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request; the room it takes is given back when its answer is closed. Raises httpx.TransportError."""
        url = request.url
        origin = url.raw_scheme, url.raw_host, url.port
        target = httpcore.URL(scheme=origin[0], host=origin[1], port=origin[2], target=url.raw_path)
        sent = httpcore.Request(
            request.method,
            target,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        await self._room.acquire()
        connection = await self._take(origin, target)
        try:
            with _as_httpx():
                answer = await connection.handle_async_request(sent)
        except BaseException:
            await self._give_back(origin, connection)
            raise
        stream = _Answer(answer, lambda: self._give_back(origin, connection))
        return httpx.Response(answer.status, headers=answer.headers, stream=stream, extensions=answer.extensions)

    async def aclose(self) -> None:
        """Closes what is idle now, and the rest when it becomes so."""
        self._is_closed = True
        for connections in self._idle.values():
            while connections:
                await connections.pop().aclose()

    async def _take(self, origin: Origin, target: httpcore.URL) -> httpcore.AsyncHTTPConnection:
        idle = self._idle.get(origin, [])
        while idle:
            connection = idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            target.origin, ssl_context=self._tls, keepalive_expiry=KEPT_ALIVE, network_backend=self._guard
        )

    async def _give_back(self, origin: Origin, connection: httpcore.AsyncHTTPConnection) -> None:
        self._room.release()
        if connection.is_idle() and not self._is_closed:
            self._idle.setdefault(origin, []).append(connection)
        else:
            await connection.aclose()


class _Answer(httpx.AsyncByteStream):
    """The body of an answer; closing it gives the connection back, once."""

    def __init__(self, answer: httpcore.Response, give_back: Any) -> None:
        self._answer, self._give_back = answer, give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for piece in self._answer.aiter_stream():
                yield piece

    async def aclose(self) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back is None:
            return
        try:
            with _as_httpx():
                await self._answer.aclose()
        finally:
            await give_back()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Turns what httpcore raises into what httpx names the same."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
        httpcore.ConnectionNotAvailable,
    ) as error:
        kind = getattr(httpx, type(error).__name__, httpx.NetworkError)
        raise kind(str(error)) from error
