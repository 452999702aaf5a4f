"""Clients that the makers of engines generate from the descriptions of their APIs: read, never run.

A client is had from PyPI, one version of it, by its digest. Each way of generating has a module of its own
(`client_tables` …), which makes an OpenAPI document of the client's source, for `tests.contract`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.installed import CannotBeHad, installed, run

Schema = dict[str, Any]
PLAIN: dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string"},
    "datetime": {"type": "string"},
}
"""What clients call plain values."""


def client(name: str, version: str, *digests: str) -> Path:
    """The folder of a client's packages, with one of these digests. Skips the test if it cannot be had."""

    def install(place: Path) -> None:
        wanted = place / "wanted.txt"
        wanted.write_text(" ".join([f"{name}=={version}", *(f"--hash=sha256:{one}" for one in digests)]))
        quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile"]
        safe = ["--require-hashes", "--only-binary", ":all:"]
        run(sys.executable, "-m", "pip", "install", *quiet, *safe, "--target", place, "-r", wanted)

    try:
        return installed(f"{name}-{version}", install)
    except CannotBeHad as error:
        pytest.skip(f"the client {name} cannot be had: {error}")


class Models(Mapping[str, Schema]):
    """The schemas of a client's models by their classes, each read when it is asked for."""

    def __init__(self, folder: Path, read: Callable[[ast.ClassDef], Schema]) -> None:
        self._read = read
        self._texts = {
            name: path
            for path in sorted(folder.rglob("*.py"))
            for name in re.findall(r"^class (\w+)\(", path.read_text(), re.MULTILINE)
        }

    def __getitem__(self, name: str) -> Schema:
        return self._read(self.source(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def source(self, name: str) -> ast.ClassDef:
        """Returns the class of a model."""
        return class_in(ast.parse(self._texts[name].read_text()), name)


def class_in(module: ast.Module, name: str) -> ast.ClassDef:
    """Returns a class of a module."""
    return next(one for one in module.body if isinstance(one, ast.ClassDef) and one.name == name)


def value_in(body: ast.ClassDef, name: str) -> ast.expr | None:
    """Returns what a class, or a method of it that only returns something, has under a name."""
    for one in body.body:
        match one:
            case ast.FunctionDef(name=known) if known == name:
                return next((step.value for step in ast.walk(one) if isinstance(step, ast.Return)), None)
            case ast.Assign(targets=[ast.Name(id=known)]) | ast.AnnAssign(target=ast.Name(id=known)) if known == name:
                return one.value
    return None


def pairs(found: ast.expr | None) -> dict[str, ast.expr]:
    """Returns the entries of a literal mapping."""
    assert isinstance(found, ast.Dict)
    return {str(ast.literal_eval(key)): value for key, value in zip(found.keys, found.values, strict=True) if key}


def with_null(schemas: Mapping[str, Schema], names: Mapping[str, Sequence[str]]) -> Mapping[str, Schema]:
    """Returns schemas in which these properties of models may be null, which their description does not say."""
    changed = {}
    for name, nullable in names.items():
        known = schemas[name]["properties"]
        given = {one: {"anyOf": [known[one], {"type": "null"}]} for one in nullable}
        changed[name] = {**schemas[name], "properties": {**known, **given}}
    return ChainMap(changed, schemas)  # type: ignore[arg-type]


def referred(name: str) -> Schema:
    """Returns a reference to a model."""
    return {"$ref": f"#/components/schemas/{name}"}


def answered(schema: Schema) -> dict[str, Any]:
    """Returns the answer of an operation that gives this as JSON."""
    return {"content": {"application/json": {"schema": schema}}}
