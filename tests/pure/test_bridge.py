"""The bridge between an ASGI server, played by the test, and a WSGI site."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from config.bridge import PIECE, Bridge
from tests.loops import finish

Site = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def ask(site: Site, *bodies: dict[str, Any], **scope: Any) -> list[dict[str, Any]]:
    """Send one request whose body comes in pieces; return what was sent back."""
    sent: list[dict[str, Any]] = []
    coming = list(bodies)

    async def receive() -> dict[str, Any]:
        return coming.pop(0) if coming else {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    asked = {"type": "http", "method": "POST", "path": "/a b/", "raw_path": b"/a%20b/%ff", "query_string": b"q=1"}
    asked |= {"http_version": "1.1", "headers": [], "server": ("here", 80), "client": ("1.2.3.4", 5), **scope}
    finish(Bridge(site, threads=2)(asked, receive, send))
    return sent


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_request_comes_across_as_wsgi_writes_it() -> None:
    seen: dict[str, Any] = {}

    def site(environ: dict[str, Any], start: Any) -> list[bytes]:
        seen.update(environ)
        start("201 Created", [("X-One", "1"), ("Set-Cookie", "a"), ("Set-Cookie", "b")])
        return [b"made"]

    headers = [(b"content-type", b"text/x"), (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-y", b"1"), (b"x-y", b"2")]
    sent = ask(site, headers=headers, scheme="https")
    assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/a b/\xff", "q=1")
    assert (seen["CONTENT_TYPE"], seen["HTTP_COOKIE"], seen["HTTP_X_Y"]) == ("text/x", "a=1; b=2", "1,2")
    assert (seen["REMOTE_ADDR"], seen["SERVER_NAME"], seen["wsgi.url_scheme"]) == ("1.2.3.4", "here", "https")
    assert sent == [
        {"type": "http.response.start", "status": 201,
         "headers": [(b"x-one", b"1"), (b"set-cookie", b"a"), (b"set-cookie", b"b")]},
        {"type": "http.response.body", "body": b"made", "more_body": False},
    ]  # fmt: skip


def test_a_header_that_would_pass_for_one_of_the_proxy_s_is_dropped() -> None:
    seen: dict[str, Any] = {}

    def site(environ: dict[str, Any], start: Any) -> list[bytes]:
        seen.update(environ)
        start("200 OK", [])
        return []

    ask(site, headers=[(b"x_forwarded_proto", b"https"), (b"x-forwarded-for", b"10.0.0.1")])
    assert ("HTTP_X_FORWARDED_PROTO" in seen, seen["HTTP_X_FORWARDED_FOR"]) == (False, "10.0.0.1")


def test_a_body_is_read_in_whatever_pieces_it_comes() -> None:
    def site(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        body = environ["wsgi.input"]
        return [body.readline(), b"|", body.read(3), b"|", body.read(), body.read()]

    sent = ask(site, piece(b"one\ntw", more=True), piece(b"", more=True), piece(b"o th", more=True), piece(b"ree"))
    assert sent[1]["body"] == b"one\n|two| three"


def test_a_body_that_breaks_off_is_an_error_and_not_a_shorter_body() -> None:
    def site(environ: dict[str, Any], start: Any) -> list[bytes]:
        with pytest.raises(ConnectionResetError):
            environ["wsgi.input"].read()
        start("400 Bad Request", [])
        return []

    assert ask(site, piece(b"half", more=True), {"type": "http.disconnect"})[0]["status"] == 400


def test_a_long_answer_goes_out_in_pieces_and_is_closed() -> None:
    closed = threading.Event()

    class Answer:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x" * 1000] * 200)

        def close(self) -> None:
            closed.set()

    def site(_environ: dict[str, Any], start: Any) -> Any:
        start("200 OK", [])
        return Answer()

    sent = ask(site)
    assert sum(len(message.get("body", b"")) for message in sent) == 200_000
    assert [message.get("more_body") for message in sent[1:]] == [True, True, True, False]
    assert all(len(message.get("body", b"")) < PIECE + 1000 for message in sent)
    assert closed.is_set()


def test_an_error_of_the_site_reaches_the_server() -> None:
    def site(_environ: dict[str, Any], _start: Any) -> list[bytes]:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        ask(site)


def test_as_many_requests_run_at_once_as_there_are_threads_and_each_thread_is_used_again() -> None:
    together = threading.Barrier(2)
    names: set[str] = set()

    def site(_environ: dict[str, Any], start: Any) -> list[bytes]:
        together.wait(5)
        names.add(threading.current_thread().name)
        time.sleep(0.01)
        start("200 OK", [])
        return [b""]

    async def ask_four_times() -> None:
        bridge = Bridge(site, threads=2)

        async def receive() -> dict[str, Any]:
            return piece(b"")

        async def send(_message: Any) -> None:
            return

        scope = {"method": "GET", "path": "/", "http_version": "1.1", "headers": []}
        await asyncio.gather(*(bridge(dict(scope), receive, send) for _ in range(4)))

    finish(ask_four_times())
    assert len(names) == 2
