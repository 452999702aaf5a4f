"""The check that holds doubles against published descriptions: what it lets pass, and what it finds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract import LINES, Contract
from tests.engine_double import Reply, Request

NAMED = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
STEP = {"type": "string", "enum": ["build", "test"]}
RUN = {
    "allOf": [{"$ref": "#/components/schemas/named"}],
    "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "end": {"type": "string", "enum": ["good", "bad"], "nullable": True},
        "given": {"type": "object"},
        "by": {"nullable": True, "oneOf": [{"$ref": "#/components/schemas/named"}, {"type": "string"}]},
    },
}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/runs/{run}": {
            "parameters": [{"$ref": "#/components/parameters/run"}],
            "get": {
                "parameters": [{"name": "since", "in": "query", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"content": {"application/json": {"schema": RUN}}}},
            },
            "post": {
                "requestBody": {"content": {"application/json": {"schema": RUN}}},
                "responses": {"204": {"description": "Nothing more"}},
            },
        },
        "/runs/{run}/log": {
            "parameters": [{"$ref": "#/components/parameters/run"}],
            "get": {
                "parameters": [{"name": "of", "in": "query", "schema": {"type": "array", "items": STEP}}],
                "responses": {"200": {"content": {LINES: {"schema": NAMED}}}, "404": {"description": "Not there"}},
            },
        },
        "/runs/latest": {"get": {"responses": {"default": {"content": {"application/json": {"schema": {}}}}}}},
    },
    "components": {
        "schemas": {"named": NAMED},
        "parameters": {"run": {"name": "run", "in": "path", "required": True, "schema": {"type": "integer"}}},
    },
}
CONTRACT, STRICT = Contract(DOCUMENT), Contract(DOCUMENT, error="#/components/schemas/named")


def got(reply: Any, status: int = 200, **query: str) -> list[str]:
    return CONTRACT.faults_of(Request("GET", "/runs/7", query or {"since": "1"}, {}, b""), Reply(status, reply))


def sent(body: Any) -> list[str]:
    headers = {"content-type": "application/json"}
    return CONTRACT.faults_of(Request("POST", "/runs/7", {}, headers, json.dumps(body).encode()), Reply(204))


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"id": 1},
        {"name": "a", "end": None},
        {"given": {"any": 1}},
        {"by": None},
        {"by": {"name": "a"}},
        {"by": "a"},
    ],
)
def test_a_double_may_say_less_than_the_real_thing(told: Any) -> None:
    assert got(told) == []


@pytest.mark.parametrize(
    "told", [{"idd": 1}, {"id": "1"}, {"end": "so"}, {"name": None}, {"by": {"nam": "a"}}, [], "a"]
)
def test_a_double_may_say_nothing_else(told: Any) -> None:
    assert len(got(told)) == 1
    assert got(told)[0].startswith("GET /runs/{run}: 200: $")


def test_questions_must_hold_in_full() -> None:
    assert sent({"id": 1, "name": "a"}) == []
    for wrong in ({"id": 1}, {"name": "a"}, {"id": 1, "name": "a", "more": 1}):
        assert len(sent(wrong)) == 1
    assert got({}, since="soon") == ["GET /runs/{run}: the query's 'since' cannot be 'soon'"]
    assert got({}, before="1") == [
        "GET /runs/{run}: the query has no 'since'",
        "GET /runs/{run}: the query has an unknown 'before'",
    ]


def test_the_path_with_fewer_gaps_is_meant_and_trouble_is_no_answer() -> None:
    assert CONTRACT.faults_of(Request("GET", "/runs/latest", {}, {}, b""), Reply(404, {"any": 1})) == []
    assert got({}, status=201) == ["GET /runs/{run}: is not answered with 201"]
    assert got({"rubbish": 1}, status=503) == []


def log(reply: Reply, **query: str) -> list[str]:
    return STRICT.faults_of(Request("GET", "/runs/7/log", query, {}, b""), reply)


def test_what_comes_in_lines_is_held_line_by_line() -> None:
    assert log(Reply(200, b'{"name": "a"}\n{}\n')) == []
    assert log(Reply(200, b'{"name": "a"}\n{"nam": "b"}\n'))[0].startswith("GET /runs/{run}/log: a line: $")


def test_a_list_in_an_address_may_stand_apart_by_commas() -> None:
    assert log(Reply(200, b""), of="build,test") == []
    assert log(Reply(200, b""), of="build,deploy") == ["GET /runs/{run}/log: the query's 'of' cannot be 'build,deploy'"]


def test_an_error_without_a_shape_of_its_own_has_that_of_all_errors() -> None:
    assert log(Reply(404, {"name": "none"})) == []
    assert len(log(Reply(404, {"message": "none"}))) == 1
