"""Calling an engine: only where it may be, within limits, with errors that say what to do and tell no secret."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from activities.web.answers import Answer, rest_in
from activities.web.client import Web, make_pool
from activities.web.guard import Resolve
from config.errors import RunnerError, RunnerRefused, RunnerUnavailable
from tests.engine_double import Answering, EngineDouble, Reply, Request, double
from tests.loops import finish

SECRET = "s3cr3t/with+odd=chars"


@pytest.fixture(autouse=True)
def allowed(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


def ask(url: str, *, resolving: Resolve | None = None, within: float = 5, method: str = "GET", **rest: Any) -> Answer:
    async def story() -> Answer:
        pool = make_pool(resolving=resolving) if resolving else make_pool()
        async with pool:
            return await Web(pool, [SECRET], within=within).ask(method, url, **rest)

    return finish(story())


def answer_to(answering: Answering | Reply, path: str = "/", **rest: Any) -> tuple[EngineDouble, Any]:
    """What a call of an engine that answers so comes to: the answer, or the error."""
    with double(answering if callable(answering) else lambda _: answering) as engine:
        try:
            return engine, ask(f"{engine.url}{path}", **rest)
        except RunnerError as error:
            return engine, error


def resolving_to(*answers: list[str]) -> Callable[[str, int], Any]:
    """A resolver that gives one answer after the other, the last one for ever."""
    left = list(answers)

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


def test_an_answer_comes_as_it_is() -> None:
    engine, answer = answer_to(Reply(body={"id": 7}), "/runs", params={"q": "a b"}, headers={"x-key": "k"})
    assert answer.mapping() == {"id": 7}
    assert engine.asked[0].query == {"q": "a b"}
    assert engine.asked[0].headers["x-key"] == "k"


def test_a_private_address_is_refused_before_anything_is_sent(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = []
    engine, error = answer_to(Reply())
    assert isinstance(error, RunnerRefused)
    assert error.code == "address_refused"
    assert "127.0.0.1 is at a loopback address" in error.message
    assert engine.asked == []


def test_a_name_that_leads_inside_is_refused(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = []
    for inside in ("127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1"):
        with pytest.raises(RunnerRefused, match="may not be called"):
            ask("http://ci.example.com/", resolving=resolving_to([inside]))


def test_a_name_is_resolved_once_and_the_checked_address_is_the_one_that_is_called(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with double(lambda _: Reply(body=b"checked")) as engine:
        rebinding = resolving_to(["127.0.0.1"], ["10.0.0.1"])
        answer = ask(f"http://ci.example.com:{engine.port}/", resolving=rebinding)
    assert answer.text == "checked"
    assert engine.asked[0].headers["host"] == f"ci.example.com:{engine.port}"


def test_a_name_that_turns_inside_later_is_refused_then(settings: Any) -> None:
    async def story(engine: EngineDouble) -> str:
        rebinding = resolving_to(["127.0.0.1"], ["127.0.0.2"])
        async with make_pool(resolving=rebinding) as pool:
            web = Web(pool)
            assert (await web.ask("GET", f"http://ci.example.com:{engine.port}/")).text == "ok"
            with pytest.raises(RunnerRefused) as refused:
                await web.ask("GET", f"http://ci.example.com:{engine.port}/again")
            return refused.value.code

    with double(lambda _: Reply(body=b"ok", headers={"Connection": "close"}, promised=0)) as engine:
        assert finish(story(engine)) == "address_refused"


def test_of_several_addresses_only_those_that_may_be_called_are_tried() -> None:
    with double(lambda _: Reply(body=b"ok")) as engine:
        mixed = resolving_to(["10.0.0.1", "169.254.169.254", "127.0.0.1"])
        assert ask(f"http://ci.example.com:{engine.port}/", resolving=mixed).text == "ok"


def test_a_name_that_the_operator_allows_may_lead_inside(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["*.internal"]
    with double(lambda _: Reply(body=b"ok")) as engine:
        assert ask(f"http://ci.internal:{engine.port}/", resolving=resolving_to(["127.0.0.1"])).text == "ok"


def test_a_name_that_is_nowhere_is_worth_another_try() -> None:
    async def nowhere(host: str, port: int) -> list[str]:
        raise OSError

    with pytest.raises(RunnerUnavailable, match="cannot be found"):
        ask("http://ci.example.com/", resolving=nowhere)


@pytest.mark.parametrize("url", ["ftp://x", "http://u:p@127.0.0.1/", "file:///etc/passwd"])
def test_an_odd_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(RunnerRefused) as refused:
        ask(url)
    assert url not in refused.value.message


def moved(request: Request) -> Reply:
    if request.path == "/there":
        return Reply(body=b"arrived")
    if request.path == "/circle":
        return Reply(302, headers={"Location": "/circle"})
    return Reply(302, headers={"Location": request.query.get("to", "/there")})


def test_a_redirect_to_the_same_origin_is_followed_when_reading() -> None:
    engine, answer = answer_to(moved, "/here", headers={"authorization": "x"})
    assert answer.text == "arrived"
    assert engine.asked[1].headers["authorization"] == "x"


def test_no_other_redirect_is_followed() -> None:
    with double(lambda _: Reply(body=b"elsewhere")) as other:
        for target in (f"{other.url}/there", "https://127.0.0.1/", "file:///etc/passwd", "http://169.254.169.254/"):
            _, error = answer_to(moved, "/here", params={"to": target})
            assert isinstance(error, RunnerRefused), target
            assert "not followed" in error.message
        _, error = answer_to(moved, "/here", method="POST")
        assert isinstance(error, RunnerRefused)
        assert "has moved" in error.message
    assert other.asked == []


def test_a_redirect_that_is_accepted_is_the_answer() -> None:
    for method in ("GET", "POST"):
        engine, answer = answer_to(moved, "/here", method=method, accept=(302,))
        assert (answer.status, answer.headers["location"], len(engine.asked)) == (302, "/there", 1)


def test_redirects_in_circles_come_to_an_end() -> None:
    _, error = answer_to(moved, "/circle")
    assert isinstance(error, RunnerRefused)


def test_storage_elsewhere_gets_no_credentials_and_is_checked_too(settings: Any) -> None:
    with double(lambda _: Reply(body=b"log")) as storage:
        _, answer = answer_to(
            moved, "/here", params={"to": f"{storage.url}/there"}, headers={"authorization": "x"}, elsewhere=True
        )
        assert answer.text == "log"
        assert "authorization" not in storage.asked[0].headers
    _, error = answer_to(moved, "/here", params={"to": "http://169.254.169.254/x"}, elsewhere=True)
    assert isinstance(error, RunnerRefused)
    assert error.code == "address_refused"


def test_no_cookie_is_kept() -> None:
    async def story(engine: EngineDouble) -> None:
        async with make_pool() as pool:
            web = Web(pool)
            assert (await web.ask("GET", engine.url)).cookies == {"s": "1"}
            await web.ask("GET", engine.url)

    with double(lambda _: Reply(headers={"Set-Cookie": "s=1; Path=/"})) as engine:
        finish(story(engine))
    assert "cookie" not in engine.asked[1].headers


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_worth_another_try(status: int) -> None:
    _, error = answer_to(Reply(status, headers={"Retry-After": "7"}))
    assert isinstance(error, RunnerUnavailable)
    assert error.retry_after == 7


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_what_stays_wrong_is_refused_in_the_engine_s_words(status: int) -> None:
    body = {"message": "No ref found", "errors": [{"field": "ref"}], "documentation_url": "https://x"}
    _, error = answer_to(Reply(status, body), "/dispatch?token=abc")
    assert isinstance(error, RunnerRefused)
    assert f"{status}" in error.message
    assert "No ref found" in error.message
    assert "token" not in error.message
    assert error.code == ("engine_denied" if status in (401, 403) else "runner_refused")


def test_a_limit_that_is_told_as_forbidden_is_worth_another_try() -> None:
    reset = int(time.time()) + 100
    limits = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    _, error = answer_to(Reply(403, {"message": "API rate limit exceeded"}, limits))
    assert isinstance(error, RunnerUnavailable)
    assert error.retry_after is not None
    assert 90 < error.retry_after <= 100


def test_an_accepted_status_is_an_answer() -> None:
    _, answer = answer_to(Reply(404), accept=(404,))
    assert answer.status == 404


def test_secrets_and_credentials_are_in_no_message() -> None:
    echo = {"message": f"bad token {SECRET} at https://u:p@x.example/y?sig=abc, {json.dumps(SECRET)}"}
    _, error = answer_to(Reply(401, echo), auth=("user", SECRET))
    for leaked in (SECRET, "u:p", "sig=abc"):
        assert leaked not in error.message
    engine, error = answer_to(
        lambda request: Reply(400, {"message": request.headers["authorization"]}), auth=("user", SECRET)
    )
    assert engine.asked[0].headers["authorization"] not in error.message
    _, error = answer_to(lambda request: Reply(400, {"message": request.path}), "/s3cr3t%2Fwith%2Bodd%3Dchars")
    assert "s3cr3t" not in error.message


def test_an_error_page_is_not_quoted_and_a_long_message_is_cut() -> None:
    _, error = answer_to(Reply(404, b"<html>" + b"x" * 9999, {"Content-Type": "text/html"}))
    assert "<html>" not in error.message
    _, error = answer_to(Reply(400, b"y" * 9999))
    assert len(error.message) < 500


def test_an_answer_that_is_too_large_is_cut_off_also_after_unpacking() -> None:
    _, error = answer_to(Reply(body=b"x" * 2000), most=1000)
    assert isinstance(error, RunnerUnavailable)
    assert "more than 1000 bytes" in error.message
    bomb = gzip.compress(b"\0" * 60_000_000, 9)
    started = time.monotonic()
    _, error = answer_to(Reply(body=bomb, headers={"Content-Encoding": "gzip"}))
    assert "more than" in error.message
    assert time.monotonic() - started < 5


def test_of_a_long_log_the_tail_is_read() -> None:
    _, answer = answer_to(Reply(body=b"".join(b"%06d\n" % n for n in range(100_000))), most=70, tail=True)
    assert answer.text.splitlines()[-1] == "099999"
    assert len(answer.body) == 70
    assert answer.is_cut


def test_a_packed_answer_is_unpacked() -> None:
    _, answer = answer_to(Reply(body=gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"}))
    assert answer.mapping() == {"a": 1}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b'{"id": 7', promised=10),
        Reply(body=gzip.compress(b'{"id": 7}')[:-6], headers={"Content-Encoding": "gzip"}),
        Reply(body=b"not packed", headers={"Content-Encoding": "gzip"}),
        Reply(body=b"?", headers={"Content-Encoding": "br"}),
        Reply(hang_up=True),
        Reply(raw=b"nonsense\r\n\r\n"),
    ],
)
def test_an_answer_that_breaks_off_is_worth_another_try(reply: Reply) -> None:
    _, error = answer_to(reply)
    assert isinstance(error, RunnerUnavailable)


@pytest.mark.parametrize("body", [b'{"id": 7', b"", b"[" * 100_000, b"[1]"])
def test_wrong_json_is_worth_another_try(body: bytes) -> None:
    _, answer = answer_to(Reply(body=body))
    with pytest.raises(RunnerUnavailable):
        answer.mapping()


def test_hundreds_of_slow_calls_go_on_at_once_and_connections_are_used_again() -> None:
    async def story(url: str) -> None:
        async with make_pool(connections=200) as pool:
            web = Web(pool)
            for _ in range(3):
                await asyncio.gather(*(web.ask("GET", url) for _ in range(200)))

    with double(lambda _: Reply(delay=0.2)) as engine:
        finish(story(engine.url))
    assert len(engine.asked) == 600
    assert engine.connections <= 200


def test_a_connection_that_the_engine_has_closed_is_not_used_again() -> None:
    async def story(url: str) -> list[int]:
        async with make_pool() as pool:
            web, statuses = Web(pool), []
            for _ in range(3):
                statuses.append((await web.ask("GET", url)).status)
                await asyncio.sleep(0.1)
            return statuses

    with double(lambda _: Reply(body=b"ok", then_close=True)) as engine:
        assert finish(story(engine.url)) == [200, 200, 200]
        assert engine.connections == 3


def test_a_slow_engine_is_given_up() -> None:
    started = time.monotonic()
    _, error = answer_to(Reply(delay=30), within=0.3)
    assert isinstance(error, RunnerUnavailable)
    assert "in time" in error.message
    assert time.monotonic() - started < 5


def test_nobody_listens() -> None:
    with pytest.raises(RunnerUnavailable, match="cannot be reached"):
        ask("http://127.0.0.1:1")


def test_a_header_that_cannot_be_sent_is_refused_without_telling_it() -> None:
    for value in ("line\r\nbreak", "söme"):
        _, error = answer_to(Reply(), headers={"authorization": value})
        if isinstance(error, RunnerError):
            assert value not in error.message
            assert isinstance(error, RunnerRefused)


def certificate(folder: Path, name: str) -> tuple[str, ssl.SSLContext]:
    """A certificate for `name` that vouches for itself: its file, and how a server shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "ca.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "all.pem").write_bytes(made.public_bytes(Encoding.PEM) + key.private_bytes(*plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "all.pem")
    return str(folder / "ca.pem"), context


def test_a_certificate_is_verified_for_the_name_although_an_address_is_called(settings: Any, tmp_path: Path) -> None:
    authority, shows = certificate(tmp_path, "ci.example.com")
    here = resolving_to(["127.0.0.1"])
    with double(lambda _: Reply(body=b"safe"), tls=shows) as engine:
        with pytest.raises(RunnerUnavailable, match="certificate"):
            ask(f"https://ci.example.com:{engine.port}/", resolving=here)
        settings.OUTBOUND_CA = authority
        assert ask(f"https://ci.example.com:{engine.port}/", resolving=here).text == "safe"
        with pytest.raises(RunnerUnavailable, match="certificate"):
            ask(f"https://evil.example.com:{engine.port}/", resolving=here)
    assert len(engine.asked) == 1


NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "30"}, 30),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "999999999"}, 3600),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True), "date": DATE}, 90),
        ({"retry-after": format_datetime(NOW - timedelta(hours=1), usegmt=True), "date": DATE}, 1),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 60), "date": DATE}, 60),
        ({"x-ratelimit-remaining": "5", "x-ratelimit-reset": str(int(NOW.timestamp()) + 60), "date": DATE}, 0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": str(int(NOW.timestamp()) + 60), "date": DATE}, 60),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "45"}, 45),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "nan"}, 0),
    ],
)
def test_how_long_an_engine_wants_to_be_left_alone(headers: dict[str, str], seconds: float) -> None:
    assert rest_in(headers) == pytest.approx(seconds, abs=0.01)
