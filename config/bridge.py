"""The site under an ASGI server: it stays synchronous, in a fixed number of threads with their database connections.

Why not Django's own ASGI handler: with synchronous middleware and views it makes a thread for every request, and so a
new database connection for each. Here a request is served by one of `threads` threads from beginning to end, as a
threaded WSGI server does it: its body is read when the view reads it, and a slow reader holds back the view.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
WsgiSite = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

PIECE = 64 * 1024  # bytes of an answer that go to the server together
_NAMES = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


class Bridge:
    """An ASGI application for HTTP that serves a WSGI one."""

    def __init__(self, site: WsgiSite, *, threads: int) -> None:
        self._site = site
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="site")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        loop = asyncio.get_running_loop()

        def read() -> Message:
            return asyncio.run_coroutine_threadsafe(_run(receive()), loop).result()

        def write(messages: list[Message]) -> None:
            asyncio.run_coroutine_threadsafe(_send_all(send, messages), loop).result()

        environ = environ_of(scope, read)
        rest = await loop.run_in_executor(self._threads, self._serve, environ, write)
        await _send_all(send, rest)

    def _serve(self, environ: dict[str, Any], write: Callable[[list[Message]], None]) -> list[Message]:
        """Call the site; send all of its answer but the end, which is returned."""
        waiting: list[Message] = []
        pieces: list[bytes] = []

        def start(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], None]:
            raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            waiting[:] = [{"type": "http.response.start", "status": int(status[:3]), "headers": raw}]
            return pieces.append

        answer = self._site(environ, start)
        try:
            for piece in answer:
                pieces.append(piece)
                if sum(map(len, pieces)) >= PIECE:
                    write([*waiting, _body(pieces, more=True)])
                    waiting.clear()
                    pieces.clear()
        finally:
            if (close := getattr(answer, "close", None)) is not None:
                close()
        return [*waiting, _body(pieces, more=False)]


def environ_of(scope: Scope, read: Callable[[], Message]) -> dict[str, Any]:
    """Return a request as WSGI describes it; `read` gives the next piece of its body and may wait for it."""
    server, client = scope.get("server") or ("localhost", 80), scope.get("client")
    raw_path = scope.get("raw_path") or scope["path"].encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": unquote_to_bytes(raw_path).decode("latin-1"),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1] or 0),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BufferedReader(Body(read)),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if client:
        environ |= {"REMOTE_ADDR": str(client[0]), "REMOTE_PORT": str(client[1])}
    for name, value in scope["headers"]:
        if b"_" in name:  # it would pass for a header that a proxy sets and the site trusts
            continue
        key = _NAMES.get(name) or f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}"
        text = value.decode("latin-1")
        parted = "; " if name == b"cookie" else ","
        environ[key] = f"{environ[key]}{parted}{text}" if key in environ else text
    return environ


class Body(io.RawIOBase):
    """The body of a request as a file. Reading raises ConnectionResetError if the caller goes away before its end."""

    def __init__(self, read: Callable[[], Message]) -> None:
        self._read = read
        self._piece = memoryview(b"")
        self._is_more = True

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` as far as the next piece goes; 0 at the end."""
        while not self._piece and self._is_more:
            message = self._read()
            if message["type"] == "http.disconnect":
                raise ConnectionResetError("The caller went away before the end of the request.")
            self._piece = memoryview(message.get("body", b""))
            self._is_more = message.get("more_body", False)
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size


def _body(pieces: list[bytes], *, more: bool) -> Message:
    return {"type": "http.response.body", "body": b"".join(pieces), "more_body": more}


async def _run(waiting: Awaitable[Message]) -> Message:
    return await waiting


async def _send_all(send: Send, messages: Iterable[Message]) -> None:
    for message in messages:
        await send(message)


async def send_plain(send: Send, status: HTTPStatus, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Answer a request with a status and its words."""
    text = status.phrase.encode()
    framed = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode()), *headers]
    await send({"type": "http.response.start", "status": int(status), "headers": framed})
    await send({"type": "http.response.body", "body": text})
