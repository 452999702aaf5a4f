"""What the file of a GitLab project declares that a pipeline wants to know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from activities.engines import Parameter


class _Loader(yaml.SafeLoader):
    """Reads GitLab's files, whose tags (`!reference`) mean nothing here."""


_Loader.add_multi_constructor("!", lambda *_: None)


def declared(text: str, *, wants_inputs: bool) -> list[Parameter]:
    """Returns the inputs in the header of a project's file, or its global variables that are described."""
    try:
        documents = [one for one in yaml.load_all(text, _Loader) if isinstance(one, dict)]
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    if wants_inputs:
        headers = [one["spec"] for one in documents if isinstance(one.get("spec"), dict)]
        inputs = headers[0].get("inputs") if headers else None
        return [_input(str(name), one) for name, one in inputs.items()] if isinstance(inputs, dict) else []
    variables = documents[-1].get("variables") if documents else None
    found = variables.items() if isinstance(variables, dict) else ()
    return [_variable(str(name), one) for name, one in found if isinstance(one, dict) and "description" in one]


def _input(name: str, declared: Any) -> Parameter:
    one = declared if isinstance(declared, dict) else {}
    kind = {"boolean": "boolean", "number": "number"}.get(str(one.get("type")), "string")
    options = tuple(_text(option) for option in one.get("options") or ())
    return Parameter(
        name,
        "enum" if options else kind,
        str(one.get("description") or ""),
        _text(one.get("default")),
        options,
        "default" not in one,
    )


def _variable(name: str, one: Mapping[str, Any]) -> Parameter:
    options = tuple(_text(option) for option in one.get("options") or ())
    kind = "enum" if options else "string"
    return Parameter(name, kind, str(one.get("description") or ""), _text(one.get("value")), options)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, default=str)
