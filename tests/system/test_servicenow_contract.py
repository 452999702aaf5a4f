"""The stories of the provider `servicenow`, told again: the Table API is asked as ServiceNow's own client asks it.

There is no description of ServiceNow's APIs to be had, but PySNC, which is made by ServiceNow: it is run against the
double, which must be to it what ServiceNow is, and what it asks there is all that may be asked. Of the Change
Management API it knows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.clients import answered, client
from tests.contract import Contract, asked
from tests.engine_double import Reply, Request, double
from tests.pure.test_servicenow import *  # noqa: F403
from tests.pysnc_asking import told_to
from tests.servicenow_double import ServiceNow

VERSION = "1.2.1"
DIGEST = "54fdfa2d99a5e3cccea6b295b8f1e5649ce221b0c4423fccc4c5b8d09cdccdda"
TABLE = "/api/now/table/change_request"
ONE = f"{TABLE}/{'0' * 32}"
SUCCESS = {"post": "201"}
FREE = ("sysparm_query", "sysparm_fields", "sysparm_limit", "sysparm_offset")
"""Parameters whose values are the caller's; of others, only those values may be sent that PySNC sends."""

pytestmark = pytest.mark.real

Told = tuple[dict[str, Any], list[Request]]


@pytest.fixture(scope="module")
def pysnc() -> Told:
    """What PySNC was told by the double, and what it has asked."""
    place, now = client("pysnc", VERSION, DIGEST), ServiceNow()
    with double(now) as api:
        return told_to(place, api.url), list(api.asked)


@pytest.fixture(scope="module")
def contract(pysnc: Told) -> Contract:
    """What PySNC asks of the Table API, and what it makes of the answers."""
    return Contract(_described(pysnc[1]), error="#/components/schemas/Error")


def _described(questions: Sequence[Request]) -> dict[str, Any]:
    text = {"type": "string"}
    field = {"anyOf": [text, {"type": "object", "properties": {"value": text, "display_value": text}}]}
    record = {"type": "object", "additionalProperties": field}
    paths: dict[str, Any] = {}
    for one in questions:
        path, verb = re.sub(r"[0-9a-f]{32}$", "{sys_id}", one.path), one.method.lower()
        made: dict[str, Any] = {
            "parameters": [_parameter(*pair) for pair in one.query.items()],
            "responses": {SUCCESS.get(verb, "200"): answered({"type": "object", "properties": {"result": record}})},
        }
        if one.body:
            body = {"type": "object", "additionalProperties": text}
            made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
        if "{" in path:
            made["parameters"].append({"name": "sys_id", "in": "path", "schema": text, "required": True})
        elif verb == "get":
            many = {"type": "object", "properties": {"result": {"type": "array", "items": record}}}
            made["responses"]["200"] = answered(many)
        paths.setdefault(path, {})[verb] = made
    for operation in paths[f"{TABLE}/{{sys_id}}"].values():
        operation["parameters"].append(_parameter("sysparm_fields", "number"))
    paths[TABLE]["post"]["parameters"].append(_parameter("sysparm_fields", "number"))
    return {"paths": paths, "components": {"schemas": {"Error": {"additionalProperties": True}}}}


def _parameter(name: str, value: str) -> dict[str, Any]:
    schema = {"type": ["string", "integer"]} if name in FREE else {"const": value}
    return {"name": name, "in": "query", "schema": schema}


@pytest.fixture  # type: ignore[no-redef]
def now(settings: Any, contract: Contract) -> Iterator[ServiceNow]:
    """In the place of the stories' own double: one that is watched."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    now = ServiceNow()
    faults: list[str] = []

    def answer(question: Request) -> Reply:
        is_odd = bool(now.next or (question.method != "GET" and now.lost))
        reply = now(question)
        if question.path.startswith("/api/now/"):
            faults.extend(contract.faults_of(question, Reply(hang_up=True) if is_odd else reply))
        return reply

    with double(answer) as api:
        now.settings = {"url": api.url, "username": "bot"}  # type: ignore[attr-defined]
        yield now
    assert not faults, "\n".join(faults)


def test_the_double_is_to_servicenows_own_client_what_servicenow_is(pysnc: Told) -> None:
    told, _ = pysnc
    assert told["found"] == [told["made"], "CHG0030001"]
    assert told["state"] == ["-1", "Implement"]
    assert "All well" in told["work_notes"]
    assert told["missed"] is False


@pytest.mark.parametrize(
    ("request_", "reply", "words"),
    [
        (asked("GET", "/api/now/table/changes"), Reply(404, {}), "is not in the description"),
        (asked("PUT", ONE, {}), Reply(200, {}), "is not in the description"),
        (asked("GET", TABLE, query="number=1"), Reply(200, {"result": []}), "unknown 'query'"),
        (asked("GET", ONE, sysparm_display_value="both"), Reply(404, {}), "'sysparm_display_value' cannot be 'both'"),
        (asked("PATCH", ONE), Reply(200, {}), "the body is missing"),
        (asked("PATCH", ONE, {"state": -1}), Reply(200, {}), "-1 is not of type 'string'"),
        (asked("POST", TABLE, {"type": "normal"}), Reply(200, {}), "is not answered with 200"),
        (asked("PATCH", ONE, {"state": "3"}), Reply(201, {}), "is not answered with 201"),
        (asked("GET", TABLE), Reply(200, {"result": {}}), "is not of type 'array'"),
        (
            asked("GET", ONE),
            Reply(200, {"result": {"state": {"value": "3", "label": "Closed"}}}),
            "'label' was unexpected",
        ),
        (asked("GET", ONE), Reply(200, {"records": []}), "'records' was unexpected"),
    ],
)
def test_what_pysnc_does_not_know_is_found(contract: Contract, request_: Request, reply: Reply, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        assert not contract.faults_of(request_, reply), contract.faults_of(request_, reply)
    told = Reply(200, {"result": {"state": {"value": "3", "display_value": "Closed"}}})
    assert contract.faults_of(asked("GET", ONE, sysparm_display_value="all"), told) == []
