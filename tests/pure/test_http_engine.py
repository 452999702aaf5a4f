"""The provider `http`: templates that never paste, answers read by pointers, signatures both ways."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.engines import Called, Connected
from activities.providers.http import HttpEngine
from activities.providers.http_templates import fill, fill_path, look_up, names_in
from activities.runners import Order, Outcome
from config.errors import NotPermitted, RunnerRefused, RunnerUnavailable
from tests.asking import Asking
from tests.engine_double import EngineDouble, Reply, Request, double

ENGINE = HttpEngine()
ASKING = Asking(ENGINE, "s3cret")
ask = ASKING.ask
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
VALUES = {"a": 'x"y', "n": "7", "flag": "True", "doc": '{"b": [1]}', "path": "a/b?c#d", "up": ".."}


@pytest.fixture(autouse=True)
def allowed(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{a}", 'x"y'),
        ("v{a}!", 'vx"y!'),
        ("{{a}}", "{a}"),
        ("${{ inputs.x }}", "${ inputs.x }"),
        ({"{a}": ["{n}", "{n:integer}", "{n:number}"]}, {'x"y': ["7", 7, 7]}),
        ("{flag:boolean}", True),
        ("{doc:json}", {"b": [1]}),
        (None, None),
        (3, 3),
        ("no {placeholder here", "no {placeholder here"),
    ],
)
def test_a_template_is_filled_with_values(template: Any, filled: Any) -> None:
    assert fill(template, VALUES) == filled


def test_a_value_stays_one_segment_of_a_path() -> None:
    assert fill_path("/jobs/{path}/x", VALUES) == "/jobs/a%2Fb%3Fc%23d/x"
    for leading_out in ("/jobs/{up}/x", "/jobs/{up}"):
        with pytest.raises(RunnerRefused, match="lead out"):
            fill_path(leading_out, VALUES)


@pytest.mark.parametrize("template", ["{absent}", "{a:integer}", "{flag:number}", "{a:json}", "{n:boolean}"])
def test_what_cannot_be_filled_is_refused_without_telling_values(template: str) -> None:
    with pytest.raises(RunnerRefused) as refused:
        fill(template, VALUES)
    assert 'x"y' not in refused.value.message


def test_names_and_pointers() -> None:
    assert list(names_in({"a": ["{x}", {"{y}": "{z:json} {{no}}"}]})) == ["x", "y", "z"]
    document = {"a": [{"b/c": 1, "~": None}], "0": "x"}
    assert [look_up(document, pointer) for pointer in ("/a/0/b~1c", "/a/1", "/a/x", "/0", "/a/0/~0", "/0/0")] == [
        1, None, None, "x", None, None,
    ]  # fmt: skip
    assert look_up(document, "") == document


def order(url: str, pipeline: dict[str, Any], *, secret: str | None = "s3cret", **rest: Any) -> Order:
    settings = {"url": url, "pipelines": {"job": pipeline}, **rest.pop("settings", {})}
    return Order("7-1-1", settings, {"pipeline": "job"}, secret, rest.pop("parameters", {}), ("s3cret",), **rest)


def started(answering: Any, pipeline: dict[str, Any], **rest: Any) -> tuple[EngineDouble, Outcome]:
    with double(answering if callable(answering) else lambda _: answering) as engine:
        outcome: Outcome = ask(lambda web: ENGINE.start(order(f"{engine.url}/api/", pipeline, **rest), web))
    return engine, outcome


def test_a_start_carries_values_key_and_sign_in() -> None:
    pipeline = {
        "start": {
            "method": "PUT",
            "path": "/jobs/{service}",
            "query": {"v": "{version}"},
            "headers": {"X-Who": "{service}"},
            "body": {"n": "{count:integer}"},
        }
    }
    parameters = {"service": "a b", "version": "1&2", "count": "3"}
    engine, outcome = started(Reply(204), pipeline, parameters=parameters)
    [request] = engine.asked
    assert (request.method, request.path, request.query) == ("PUT", "/api/jobs/a%20b", {"v": "1&2"})
    assert request.json == {"n": 3}
    assert request.headers["authorization"] == "Bearer s3cret"
    assert request.headers["idempotency-key"] == "7-1-1"
    assert request.headers["x-who"] == "a b"
    assert (outcome.status, outcome.reference) == ("succeeded", "7-1-1")


@pytest.mark.parametrize(
    ("way", "headers"),
    [
        ({"auth": "basic", "username": "me"}, {"authorization": "Basic bWU6czNjcmV0"}),
        ({"auth": "header", "header": "X-Key"}, {"x-key": "s3cret"}),
        ({"auth": "none"}, {}),
    ],
)
def test_each_way_to_sign_in(way: dict[str, str], headers: dict[str, str]) -> None:
    engine, _ = started(Reply(), {"start": {"path": "/x"}}, settings=way)
    found = engine.asked[0].headers
    assert headers.items() <= found.items()
    assert "authorization" in headers or "authorization" not in found


def test_a_body_is_signed() -> None:
    settings = {"sign": {"secret": "hmac-key", "header": "X-Sig", "algorithm": "sha512", "prefix": "v1="}}
    engine, _ = started(Reply(), {"start": {"path": "/x", "body": {"a": 1}}}, settings=settings)
    [request] = engine.asked
    assert request.headers["x-sig"] == "v1=" + hmac.new(b"hmac-key", request.body, hashlib.sha512).hexdigest()


def test_a_log_that_grows_is_followed_line_by_line_and_another_one_is_read_at_the_end() -> None:
    state, log = {"state": "busy"}, b"one\ntw"

    def answering(request: Request) -> Reply:
        return Reply(202, log) if request.path == "/log" else Reply(body=state)

    job = {"start": {"path": "/x"}, "look": {"path": "/y"}, "status": "/state", "succeeded": ["done"]}
    with double(answering) as engine:
        waits = order(engine.url, {**job, "log": {"path": "/log"}})
        grows = order(engine.url, {**job, "log": {"path": "/log", "grows": True}})
        assert ASKING.look(waits, "1").log == ""
        first = ASKING.look(grows, "1")
        assert (first.status, first.log) == ("running", "one\n")
        log += b"o\nthree"
        second = ASKING.look_on(grows, "1", first)
        assert second.log == "two\n"
        state["state"] = "done"
        assert ASKING.look_on(grows, "1", second).log == "three"
        assert ASKING.look(waits, "1").log == "one\ntwo\nthree"
        log = b"0123456789\n" * 10_000
        cut = ASKING.look(waits, "1").log
        assert cut.startswith("… (the beginning is left out)\n0123456789\n")


def test_a_log_that_cannot_be_had_keeps_nobody_from_the_end() -> None:
    def answering(request: Request) -> Reply:
        return Reply(404) if request.path == "/log" else Reply(body={"state": "done"})

    job = {"start": {"path": "/x"}, "look": {"path": "/y"}, "status": "/state", "succeeded": ["done"]}
    with double(answering) as engine:
        found = ASKING.look(order(engine.url, {**job, "log": {"path": "/log"}}), "1")
    assert (found.status, found.log) == ("succeeded", "")


def test_an_answer_at_once_is_read_like_the_last_one() -> None:
    pipeline = {
        "start": {"path": "/x", "form": {"a": "{a}"}},
        "status": "/state",
        "succeeded": ["ok", True],
        "error": "/why",
        "outputs": {"image": "/out/image", "size": "/out/size", "none": "/out/none"},
        "link": "/page",
    }
    body = {"state": True, "out": {"image": "x:1", "size": 3}, "page": "https://ci.example/1"}
    engine, outcome = started(Reply(body=body), pipeline, parameters={"a": "1&b=2"})
    assert engine.asked[0].body == b"a=1%26b%3D2"
    assert (outcome.status, outcome.outputs) == ("succeeded", {"image": "x:1", "size": "3"})
    assert outcome.link == "https://ci.example/1"
    _, outcome = started(
        Reply(body={**body, "state": "no", "why": "Disk full", "page": "javascript:1"}),
        pipeline | {"start": {"path": "/x"}},
    )
    assert (outcome.status, outcome.error, outcome.link) == ("failed", "Disk full", "")


def test_a_reference_comes_from_the_answer_or_a_header() -> None:
    pipeline = {"start": {"path": "/x"}, "look": {"path": "/x"}, "status": "/s", "succeeded": ["ok"]}
    _, outcome = started(
        Reply(202, headers={"Location": "https://x/queue/item/17/"}), {**pipeline, "reference": "Location"}
    )
    assert (outcome.status, outcome.reference) == ("running", "17")
    _, outcome = started(
        Reply(body={"id": 9}), {**pipeline, "reference": "/id", "link": "https://x.example/{reference}"}
    )
    assert (outcome.reference, outcome.link) == ("9", "https://x.example/9")
    with pytest.raises(RunnerRefused, match="nothing at /id"):
        started(Reply(body={}), {**pipeline, "reference": "/id"})
    with pytest.raises(RunnerUnavailable):
        started(Reply(body=b'{"id"', promised=3), {**pipeline, "reference": "/id"})


def test_an_unknown_pipeline_or_a_missing_parameter_is_refused() -> None:
    wanted = {"start": {"path": "/x", "body": "{a}"}, "parameters": {"a": {"required": True}, "b": {"default": "2"}}}
    with pytest.raises(RunnerRefused, match="'a'"):
        started(Reply(), wanted)
    engine, _ = started(Reply(), {**wanted, "start": {"path": "/x", "body": "{b}"}})
    assert engine.asked[0].json == "2"
    with pytest.raises(RunnerRefused, match="no pipeline 'other'"):
        ask(lambda web: ENGINE.start(replace(order("http://x", wanted), spec={"pipeline": "other"}), web))


def test_a_connection_is_tested_and_its_pipelines_listed() -> None:
    def answer(request: Request) -> Reply:
        return Reply(body={"login": "me"}) if request.path == "/api/me" else Reply(404)

    pipelines = {"deploy": {"name": "Deploy it", "start": {"path": "/{b}"}}, "build": {"start": {"path": "/x"}}}
    with double(answer) as engine:
        settings = {"url": f"{engine.url}/api", "check": {"path": "/me", "name": "/login"}, "pipelines": pipelines}
        connection = Connected("x", settings, "s3cret")
        assert ask(lambda web: ENGINE.check(connection, web)).endswith("/api answers and knows us as me.")
        assert [one.id for one in ask(lambda web: ENGINE.pipelines(connection, web, "IT"))] == ["deploy"]
        assert [one.name for one in ask(lambda web: ENGINE.parameters(connection, web, "deploy"))] == ["b"]


def call(body: bytes, *, at: datetime = NOW, secret: bytes = b"hook", prefix: str = "") -> Called:
    moment = str(int(at.timestamp()))
    signed = hmac.new(secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return Called({"x-signature": f"{prefix}{signed}", "x-time": moment}, body, NOW)


def test_a_word_is_signed_with_its_moment() -> None:
    hook = {"secret": "hook", "reference": "/job/id", "timestamp": "X-Time", "prefix": ""}
    connection = Connected("x", {"url": "http://x", "pipelines": {}, "hook": hook})
    body = json.dumps({"job": {"id": 7}}).encode()
    assert ENGINE.called(call(body), connection) == ("7",)
    assert ENGINE.called(call(b"{}"), connection) == ()
    assert ENGINE.called(call(b"["), connection) == ()
    stale = [call(body, at=datetime.fromtimestamp(NOW.timestamp() + off, UTC)) for off in (-301, 301)]
    for wrong in (call(body, secret=b"other"), replace(call(body), body=b"{}"), Called({}, body, NOW), *stale):
        with pytest.raises(NotPermitted):
            ENGINE.called(wrong, connection)
    with pytest.raises(NotPermitted):
        ENGINE.called(call(body), Connected("x", {"url": "http://x", "pipelines": {}}))
