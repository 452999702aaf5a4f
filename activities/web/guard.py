"""Connections go to exactly the address that was checked.

Each new connection resolves its name once, drops what may not be reached and connects to one of what is left. TLS is
verified for the name, above this layer, so what DNS says a moment later changes nothing.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore

from activities.web.addresses import Allowed, why_not
from config.errors import RunnerRefused, RunnerUnavailable

Resolve = Callable[[str, int], Awaitable[list[str]]]

_resolvers = ThreadPoolExecutor(32, thread_name_prefix="resolve")


async def resolve(host: str, port: int) -> list[str]:
    """Returns every address of a name. Raises OSError or UnicodeError when it has none."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_resolvers, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard(httpcore.AsyncNetworkBackend):
    """Opens connections to what may be reached, and to nothing else."""

    def __init__(self, allowed: Allowed, resolving: Resolve = resolve) -> None:
        self._allowed, self._resolve = allowed, resolving
        self._network = httpcore.AnyIOBackend()
        self._asking: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to one of the host's addresses that may be reached, each tried for its share of the time.

        Raises RunnerRefused when none of them may be, RunnerUnavailable when the name has none.
        """
        limit = 5.0 if timeout is None else timeout
        until = time.monotonic() + limit
        places = await self._places(host, port, limit)
        for index, place in enumerate(places):
            left = max(0.1, until - time.monotonic()) / (len(places) - index)
            try:
                return await self._network.connect_tcp(place, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if place == places[-1]:
                    raise
        raise httpcore.ConnectError("no address")

    async def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Refuses: no engine is a socket of this machine."""
        raise RunnerRefused(f"{path} is no address.")

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)

    async def _places(self, host: str, port: int, limit: float) -> list[str]:
        try:
            async with asyncio.timeout(limit):
                found = await asyncio.shield(self._ask(host, port))
        except TimeoutError:
            raise RunnerUnavailable(f"{host} could not be found in time.") from None
        except (OSError, UnicodeError):
            raise RunnerUnavailable(f"{host} cannot be found.") from None
        if self._allowed.has_name(host):
            return found
        reasons = {place: why_not(place, self._allowed) for place in found}
        places = [place for place, reason in reasons.items() if not reason]
        if not places:
            why = next(iter(reasons.values()), "no address")
            raise RunnerRefused(
                f"{host} is at {why}, which may not be called. PILOTHOUSE_OUTBOUND_ALLOW can allow it.",
                code="address_refused",
            )
        return places

    def _ask(self, host: str, port: int) -> asyncio.Future[list[str]]:
        """Asks for a name once, however many connections to it begin at the same time."""
        key = host, port
        if key not in self._asking:
            task = asyncio.ensure_future(self._resolve(host, port))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return self._asking[key]
