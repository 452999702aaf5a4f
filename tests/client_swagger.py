"""Clients that Swagger Codegen makes for Python: Harness's.

An operation has a method `…_with_http_info`: its docstring says of what kinds its arguments are, its code where each
goes; a model has `swagger_types`, `attribute_map`, and setters that refuse what is not allowed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.clients import PLAIN, Models, Schema, answered, referred, value_in

_PLAIN: dict[str, Schema] = {
    **PLAIN,
    "object": {"additionalProperties": True},
}


def described(apis: Sequence[Path], models: Path) -> dict[str, Any]:
    """Returns the OpenAPI document of modules of operations and a folder of models."""
    paths: dict[str, Any] = {}
    for module in apis:
        for method in ast.walk(ast.parse(module.read_text())):
            if isinstance(method, ast.FunctionDef) and method.name.endswith("_with_http_info"):
                path, verb, operation = _operation(method)
                paths.setdefault(path, {}).setdefault(verb, operation)
    return {"paths": paths, "components": {"schemas": Models(models, _model)}}


def _operation(method: ast.FunctionDef) -> tuple[str, str, dict[str, Any]]:
    kinds = dict(_told(method))
    made: dict[str, Any] = {"parameters": []}
    body, content = None, "application/json"
    call = next(one for one in _calls(method) if one.func.attr == "call_api")  # type: ignore[attr-defined]
    for one in ast.walk(method):
        match one:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id="path_params"), slice=ast.Constant(value=name))], value=sent
            ):
                made["parameters"].append(_parameter("path", str(name), kinds[_argument(sent)]))
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="query_params"), attr="append"),
                args=[ast.Tuple(elts=[ast.Constant(value=name), sent])],
            ):
                made["parameters"].append(_parameter("query", str(name), kinds[_argument(sent)]))
            case ast.Assign(targets=[ast.Name(id="body_params")], value=ast.Subscript() as sent):
                body = kinds[_argument(sent)]
            case ast.Call(func=ast.Attribute(attr="select_header_content_type"), args=[given]):
                content = ast.literal_eval(given)[0]
    if body is not None:
        schema = {"additionalProperties": True} if "yaml" in content else _schema(body[0])
        made["requestBody"] = {"required": body[1], "content": {content: {"schema": schema}}}
    told = next(ast.literal_eval(one.value) for one in call.keywords if one.arg == "response_type")
    path, verb = (ast.literal_eval(one) for one in call.args[:2])
    return path, verb.lower(), {**made, "responses": {"200": answered(_schema(told)) if told else {}}}


def _calls(method: ast.FunctionDef) -> Iterator[ast.Call]:
    for one in ast.walk(method):
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute):
            yield one


def _told(method: ast.FunctionDef) -> Iterator[tuple[str, tuple[str, bool]]]:
    """The arguments of an operation: their kinds, and whether they are required."""
    for kind, name, words in re.findall(r":param (\S.*?) (\w+):(.*)", ast.get_docstring(method) or ""):
        yield name, (kind, words.endswith("(required)"))


def _argument(sent: ast.expr) -> str:
    assert isinstance(sent, ast.Subscript)
    return str(ast.literal_eval(sent.slice))


def _parameter(place: str, name: str, kind: tuple[str, bool]) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": _schema(kind[0]), "required": kind[1]}


def _model(source: ast.ClassDef) -> Schema:
    names: Mapping[str, str] = ast.literal_eval(value_in(source, "attribute_map") or ast.Dict([], []))
    types: Mapping[str, str] = ast.literal_eval(value_in(source, "swagger_types") or ast.Dict([], []))
    made = {names[name]: _schema(kind) for name, kind in types.items()}
    required: list[str] = []
    for setter in source.body:
        if not isinstance(setter, ast.FunctionDef) or setter.name not in types or len(setter.args.args) < 2:
            continue
        name = names[setter.name]
        required += [name] if "must not be `None`" in ast.unparse(setter) else []
        for one in ast.walk(setter):
            if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "allowed_values":
                where = made[name].get("items", made[name])
                where["enum"] = ast.literal_eval(one.value)
    return {"type": "object", "properties": made, "required": required} if names else {"additionalProperties": True}


def _schema(kind: str) -> Schema:
    """The schema of a kind as these clients write it: `str`, `list[Link]`, `dict(str, Link)`."""
    if kind.startswith("list["):
        return {"type": "array", "items": _schema(kind[5:-1])}
    if kind.startswith("dict("):
        return {"type": "object", "additionalProperties": _schema(kind[10:-1])}
    return dict(_PLAIN[kind]) if kind in _PLAIN else referred(kind)
