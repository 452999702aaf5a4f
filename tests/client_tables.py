"""Clients with tables: `_Endpoint`s for operations, `openapi_types` and `attribute_map` for models.

Argo's and Datadog's are generated so. What a model says is required is not in its tables, only in its constructor.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.clients import PLAIN, Models, Schema, answered, pairs, referred, value_in
from tests.contract import LINES

_PLAIN: dict[str, Schema] = {
    **PLAIN,
    "UUID": {"type": "string"},
    "dict": {"type": "object", "additionalProperties": True},
    "none_type": {"type": "null"},
}


def described(apis: Sequence[Path], models: Path) -> dict[str, Any]:
    """Returns the OpenAPI document of modules of operations and a folder of models."""
    paths: dict[str, Any] = {}
    for module in apis:
        for call in _endpoints(ast.parse(module.read_text())):
            given = {one.arg: one.value for one in call.keywords if one.arg}
            settings = pairs(given["settings"])
            path, method = (ast.literal_eval(settings[name]) for name in ("endpoint_path", "http_method"))
            paths.setdefault(path, {})[method.lower()] = _operation(settings, given)
    return {"paths": paths, "components": {"schemas": Models(models, _model)}}


def _endpoints(module: ast.Module) -> Iterator[ast.Call]:
    for one in ast.walk(module):
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == "_Endpoint":
            yield one


def _operation(settings: dict[str, ast.expr], given: dict[str, ast.expr]) -> dict[str, Any]:
    made: dict[str, Any] = {"parameters": []}
    for name, place, schema, required in _of_tables(given) if "root_map" in given else _of_rows(given):
        if place == "body":
            made["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
        else:
            made["parameters"].append({"name": name, "in": place, "schema": schema, "required": required})
    told = settings["response_type"]
    is_empty = isinstance(told, ast.Constant) and told.value is None
    answer = {} if is_empty else answered(_schema(told))
    if "StreamResult" in ast.dump(told):
        answer = {"content": {LINES: {"schema": _schema(told)}}}
    return {**made, "responses": {"200": answer}}


def _of_tables(given: dict[str, ast.expr]) -> Iterator[tuple[str, str, Schema, bool]]:
    root, required = pairs(given["root_map"]), ast.literal_eval(pairs(given["params_map"])["required"])
    types, names, places = (pairs(root[one]) for one in ("openapi_types", "attribute_map", "location_map"))
    for name, place in places.items():
        said = ast.literal_eval(names[name]) if name in names else name
        yield said, ast.literal_eval(place), _schema(types[name]), name in required


def _of_rows(given: dict[str, ast.expr]) -> Iterator[tuple[str, str, Schema, bool]]:
    for name, row in pairs(given["params_map"]).items():
        one = pairs(row)
        said = ast.literal_eval(one["attribute"]) if "attribute" in one else name
        required = "required" in one and ast.literal_eval(one["required"])
        yield said, ast.literal_eval(one["location"]), _schema(one["openapi_types"]), required


def _model(source: ast.ClassDef) -> Schema:
    types = pairs(value_in(source, "openapi_types"))
    allowed = value_in(source, "allowed_values")
    if "ModelSimple" in ast.unparse(source.bases[0]):
        values = _allowed(allowed, "value")
        return {**_schema(types["value"]), **({"enum": values} if values else {})}
    names = ast.literal_eval(value_in(source, "attribute_map") or ast.Dict([], []))
    made: dict[str, Any] = {}
    for name, found in types.items():
        values = _allowed(allowed, name)
        made[names[name]] = {**_schema(found), **({"enum": values} if values else {})}
    required = [names[name] for name in _required(source) if name in names]
    return {"type": "object", "properties": made, "required": required}


def _allowed(found: ast.expr | None, name: str) -> list[Any]:
    """The values that a model allows for something, none if it says nothing."""
    told = ast.literal_eval(found) if found is not None else {}
    if isinstance(told, set):
        return sorted(told)
    return list(told.get((name,), {}).values())


def _required(source: ast.ClassDef) -> list[str]:
    """The arguments of a constructor that have no default, without itself."""
    made = next(one for one in source.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")
    given = [one.arg for one in made.args.args]
    return given[1 : len(given) - len(made.args.defaults)]


def _schema(found: ast.expr) -> Schema:
    """The schema of a type as these clients write it: `(str,)`, `([str],)`, `({str: (Link,)},)`, `(str, none_type)`."""
    match found:
        case ast.Tuple(elts=[one]):
            return _schema(one)
        case ast.Tuple(elts=several):
            names = {ast.unparse(one) for one in several}
            return {"additionalProperties": True} if {"dict", "list"} <= names else _any(several)
        case ast.List(elts=[one]):
            return {"type": "array", "items": _schema(one)}
        case ast.List(elts=several):
            return {"type": "array", "items": _any(several)}
        case ast.Dict(values=[one]):
            return {"type": "object", "additionalProperties": _schema(one)}
        case ast.Name(id=name):
            return dict(_PLAIN[name]) if name in _PLAIN else referred(name)
    raise AssertionError(ast.unparse(found))


def _any(several: Sequence[ast.expr]) -> Schema:
    return {"anyOf": [_schema(one) for one in several]}
