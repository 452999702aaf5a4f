"""Clients with pydantic models, as OpenAPI Generator makes them for Python: LaunchDarkly's.

An operation has a method with its annotations and, in `_<its name>_serialize`, where each argument goes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.clients import PLAIN, Models, Schema, answered, referred

_PLAIN: dict[str, Schema] = {
    **PLAIN,
    "Any": {"additionalProperties": True},
    "object": {"additionalProperties": True},
    "StrictStr": {"type": "string"},
    "StrictInt": {"type": "integer"},
    "StrictFloat": {"type": "number"},
    "StrictBool": {"type": "boolean"},
}


def described(apis: Sequence[Path], models: Path) -> dict[str, Any]:
    """Returns the OpenAPI document of modules of operations and a folder of models."""
    paths: dict[str, Any] = {}
    for module in apis:
        for method, serialize in _methods(ast.parse(module.read_text())):
            path, verb, operation = _operation(method, serialize)
            paths.setdefault(path, {})[verb] = operation
    return {"paths": paths, "components": {"schemas": Models(models, _model)}}


def _methods(module: ast.Module) -> Iterator[tuple[ast.FunctionDef, ast.FunctionDef]]:
    found = {one.name: one for one in ast.walk(module) if isinstance(one, ast.FunctionDef)}
    for name, method in found.items():
        if f"_{name}_serialize" in found:
            yield method, found[f"_{name}_serialize"]


def _operation(method: ast.FunctionDef, serialize: ast.FunctionDef) -> tuple[str, str, dict[str, Any]]:
    types = {one.arg: one.annotation for one in method.args.args if one.annotation is not None}
    made: dict[str, Any] = {"description": ast.get_docstring(method) or "", "parameters": []}
    for place, name, argument in _places(serialize):
        schema, required = _schema(types[argument]), not _is_optional(types[argument])
        if place == "body":
            made["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}
        else:
            made["parameters"].append({"name": name, "in": place, "schema": schema, "required": required})
    responses: dict[str, Any] = {}
    for one in ast.walk(method):
        if isinstance(one, ast.AnnAssign) and ast.unparse(one.target) == "_response_types_map":
            for status, kind in ast.literal_eval(one.value or ast.Dict([], [])).items():
                responses[status] = answered(_schema(ast.parse(kind, mode="eval").body)) if kind else {}
    sent = _keywords(serialize, "param_serialize")
    path, verb = ast.literal_eval(sent["resource_path"]), ast.literal_eval(sent["method"])
    return path, verb.lower(), {**made, "responses": responses}


def _places(serialize: ast.FunctionDef) -> Iterator[tuple[str, str, str]]:
    """The place, name and argument of everything that an operation sends."""
    for one in ast.walk(serialize):
        match one:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id="_path_params"), slice=ast.Constant(value=name))],
                value=ast.Name(id=argument),
            ):
                yield "path", str(name), argument
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="_query_params"), attr="append"),
                args=[ast.Tuple(elts=[ast.Constant(value=name), sent])],
            ):
                given = next(word.id for word in ast.walk(sent) if isinstance(word, ast.Name))
                yield "query", str(name), given
            case ast.Assign(targets=[ast.Name(id="_body_params")], value=ast.Name(id=argument)):
                yield "body", "", argument


def _keywords(serialize: ast.FunctionDef, name: str) -> Mapping[str, ast.expr]:
    for one in ast.walk(serialize):
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr == name:
            return {given.arg: given.value for given in one.keywords if given.arg}
    raise AssertionError(f"{serialize.name} does not call {name}")


def _model(source: ast.ClassDef) -> Schema:
    if "Enum" in {ast.unparse(one) for one in source.bases}:
        return {"enum": [ast.literal_eval(one.value) for one in source.body if isinstance(one, ast.Assign)]}
    made: dict[str, Schema] = {}
    required: list[str] = []
    for one in source.body:
        match one:
            case ast.AnnAssign(target=ast.Name(id="one_of_schemas" | "any_of_schemas"), value=ast.Set(elts=several)):
                return {"anyOf": [referred(ast.literal_eval(name)) for name in several]}
            case ast.AnnAssign(target=ast.Name(id=name)) if "ClassVar" not in ast.unparse(one.annotation):
                said = _alias(one.value) or name
                made[said] = _schema(one.annotation)
                required += [] if _is_optional(one.annotation) else [said]
    return {"type": "object", "properties": made, "required": required}


def _alias(value: ast.expr | None) -> str:
    given = value.keywords if isinstance(value, ast.Call) else ()
    return next((str(ast.literal_eval(one.value)) for one in given if one.arg == "alias"), "")


def _is_optional(found: ast.expr) -> bool:
    match found:
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[one, *_])):
            return _is_optional(one)
        case ast.Subscript(value=ast.Name(id="Optional")):
            return True
    return False


def _schema(found: ast.expr) -> Schema:
    """The schema of a type; what may be left out is not therefore null."""
    match found:
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[one, *_])):
            return _schema(one)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=one):
            return _schema(one)
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=several)):
            return {"anyOf": [_schema(one) for one in several]}
        case ast.Subscript(value=ast.Name(id="List"), slice=one):
            return {"type": "array", "items": _schema(one)}
        case ast.Subscript(value=ast.Name(id="Dict"), slice=ast.Tuple(elts=[_, one])):
            return {"type": "object", "additionalProperties": _schema(one)}
        case ast.Name(id=name):
            return dict(_PLAIN[name]) if name in _PLAIN else referred(name)
    raise AssertionError(ast.unparse(found))
