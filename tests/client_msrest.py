"""Azure DevOps's client: methods that send what their arguments say, and models with an `_attribute_map`.

It knows operations by the ids of their locations, and asks a server for their addresses; these are given here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.clients import Schema, answered, pairs, referred, value_in

_PLAIN: dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "long": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "iso-8601": {"type": "string"},
    "object": {"additionalProperties": True},
}
_LINKS = {"type": "object", "additionalProperties": {"type": "object", "properties": {"href": {"type": "string"}}}}
"""What the client calls ReferenceLinks: by their names, which its map of attributes cannot say."""


def described(place: Path, operations: Mapping[str, Mapping[str, str]], version: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the OpenAPI document of these operations: by a client's area, their names and addresses.

    `version` is the schema of the version that every question names. Whoever is not signed in gets a page (203).
    """
    paths: dict[str, Any] = {}
    asked = {"name": "api-version", "in": "query", "schema": dict(version), "required": True}
    for area, addresses in operations.items():
        methods = _methods(place, area)
        for name, address in addresses.items():
            verb, made = _operation(area, methods[name])
            organization = {"name": "organization", "in": "path", "schema": _PLAIN["str"], "required": True}
            here = [one for one in made["parameters"] if one["in"] == "query" or f"{{{one['name']}}}" in address]
            made["parameters"] = [*here, asked, organization]
            made["responses"]["203"] = {}
            paths.setdefault(address, {})[verb] = made
    return {"paths": paths, "components": {"schemas": Areas(place)}}


class Areas(Mapping[str, Schema]):
    """The schemas of models by their areas and classes, such as `build.Timeline`; `.WrappedException` is of none."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._known: dict[str, dict[str, ast.ClassDef]] = {}

    def __getitem__(self, name: str) -> Schema:
        area, _, wanted = name.partition(".")
        if area not in self._known:
            path = self._place / area / "models.py" if area else self._place.parent / "_models.py"
            module = ast.parse(path.read_text("utf-8-sig"))
            self._known[area] = {one.name: one for one in module.body if isinstance(one, ast.ClassDef)}
        if wanted == "ReferenceLinks":
            return _LINKS
        rows = [ast.literal_eval(row) for row in pairs(value_in(self._known[area][wanted], "_attribute_map")).values()]
        return {"type": "object", "properties": {row["key"]: _schema(area, row["type"]) for row in rows}}

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _methods(place: Path, area: str) -> dict[str, ast.FunctionDef]:
    texts = [path.read_text("utf-8-sig") for path in sorted((place / area).glob("*_client*.py"))]
    return {one.name: one for text in texts for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef)}


def _operation(area: str, method: ast.FunctionDef) -> tuple[str, dict[str, Any]]:
    made: dict[str, Any] = {"parameters": [], "responses": {"200": {}}}
    verb = ""
    for one in ast.walk(method):
        match one:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id=place), slice=ast.Constant(value=name))], value=sent
            ) if place in ("route_values", "query_parameters"):
                kind = ast.literal_eval(sent.args[2]) if isinstance(sent, ast.Call) else "str"
                where = "path" if place == "route_values" else "query"
                row = {"name": name, "in": where, "schema": _PLAIN[kind], "required": where == "path"}
                made["parameters"].append(row)
            case ast.Call(func=ast.Attribute(attr="_send"), keywords=given):
                verb = next(str(ast.literal_eval(one.value)) for one in given if one.arg == "http_method").lower()
            case ast.Call(func=ast.Attribute(attr="body"), args=[_, ast.Constant(value=kind)]):
                content = {"application/json": {"schema": _schema(area, str(kind))}}
                made["requestBody"] = {"required": True, "content": content}
            case ast.Call(func=ast.Attribute(attr="_deserialize"), args=[ast.Constant(value=kind), told]):
                schema = _schema(area, str(kind))
                if isinstance(told, ast.Call):
                    schema = {"type": "object", "properties": {"count": {"type": "integer"}, "value": schema}}
                made["responses"]["200"] = answered(schema)
    return verb, made


def _schema(area: str, kind: str) -> Schema:
    """The schema of a type as the client writes it: `str`, `[Build]`, `{str}`."""
    if kind.startswith("["):
        return {"type": "array", "items": _schema(area, kind[1:-1])}
    if kind.startswith("{"):
        return {"type": "object", "additionalProperties": _schema(area, kind[1:-1])}
    return dict(_PLAIN[kind]) if kind in _PLAIN else referred(f"{area}.{kind}")
