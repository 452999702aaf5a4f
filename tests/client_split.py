"""Split's client of its Admin API: written by hand, with tables of `_endpoint`s and, for what is sent, a `_schema`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.clients import Models, Schema, answered, referred, value_in

_PLAIN: dict[str, Schema] = {name: {"type": name} for name in ("string", "number", "boolean")}


def described(place: Path, below: str, operations: Mapping[tuple[str, str], Schema]) -> dict[str, Any]:
    """Returns the OpenAPI document of these operations: by a client's module and their names, what they speak of.

    What is sent and what is answered have one shape; success is told by 200 or 201. All are `below` an address.
    """
    paths: dict[str, Any] = {}
    for (module, name), schema in operations.items():
        told = _endpoints(place / "microclients" / f"{module}_microclient.py")[name]
        path, _, query = told["url_template"].partition("?")
        names = [word.partition("}")[0] for word in path.split("{")[1:]]
        places = {"path": names, "query": [one for one, _ in parse_qsl(query)]}
        made: dict[str, Any] = {
            "parameters": [
                {"name": one, "in": where, "schema": _PLAIN["string"], "required": where == "path"}
                for where, known in places.items()
                for one in known
            ],
            "responses": {"200": answered(schema), "201": answered(schema)},
        }
        if told["method"] in ("POST", "PUT", "PATCH"):
            made["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
        paths.setdefault(f"{below}/{path}", {})[told["method"].lower()] = made
    return {"paths": paths, "components": {"schemas": Models(place / "resources", _model)}}


def listed(name: str) -> Schema:
    """Returns the schema of a list of models."""
    return {"type": "array", "items": referred(name)}


def _endpoints(path: Path) -> dict[str, dict[str, str]]:
    classes = [one for one in ast.parse(path.read_text()).body if isinstance(one, ast.ClassDef)]
    found: dict[str, dict[str, str]] = ast.literal_eval(value_in(classes[0], "_endpoint") or ast.Dict([], []))
    return found


def _model(source: ast.ClassDef) -> Schema:
    return _schema(ast.literal_eval(value_in(source, "_schema") or ast.Dict([], [])))


def _schema(told: Any) -> Schema:
    """The schema of a type as the client writes it: a word or an example, a set of words, a list of one, a mapping."""
    match told:
        case bool():
            return _PLAIN["boolean"]
        case int():
            return _PLAIN["number"]
        case str():
            return _PLAIN.get(told, _PLAIN["string"])
        case set():
            return {"anyOf": [_PLAIN[one] for one in sorted(told)]}
        case [one]:
            return {"type": "array", "items": _schema(one)}
    return {"type": "object", "properties": {name: _schema(one) for name, one in told.items()}}
