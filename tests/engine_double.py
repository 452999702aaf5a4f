"""A pipeline engine's web server, in a thread of its own: answers as a test tells it to, oddities included."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """An answer: `delay` seconds before it, `promised` more bytes than come, `raw` instead of anything well-formed."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    promised: int = 0
    raw: bytes | None = None
    hang_up: bool = False
    then_close: bool = False

    def bytes(self) -> bytes:
        if self.raw is not None:
            return self.raw
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        kind = {} if isinstance(self.body, bytes) else {"Content-Type": "application/json"}
        headers = {**kind, "Content-Length": str(len(body) + self.promised), **self.headers}
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode() + body


Answering = Callable[[Request], Reply]


class EngineDouble:
    """Listens on this machine; `asked` are the requests so far, `open` how many are being answered now."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.asked: list[Request] = []
        self.keep_asked = True
        self.open = self.most_open = self.connections = 0
        self.port = 0
        self.close: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (request := await _read(reader)) is not None:
                if self.keep_asked:
                    self.asked.append(request)
                self.open += 1
                self.most_open = max(self.open, self.most_open)
                try:
                    reply = self.answering(request)
                    if reply.delay:
                        await asyncio.sleep(reply.delay)
                finally:
                    self.open -= 1
                if reply.hang_up:
                    break
                writer.write(reply.bytes())
                await writer.drain()
                if reply.promised or reply.raw is not None or reply.then_close:
                    break
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    parts = urlsplit(target)
    return Request(method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body)


@contextmanager
def double(answering: Answering, *, tls: ssl.SSLContext | None = None) -> Iterator[EngineDouble]:
    """An engine that listens as long as the block lasts."""
    engine = EngineDouble(answering)
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def listen() -> None:
        server = await asyncio.start_server(engine.serve, "127.0.0.1", 0, backlog=4096, ssl=tls)
        engine.port = server.sockets[0].getsockname()[1]
        engine.close = server.close
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(listen())
        loop.run_forever()
        engine.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield engine
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
