"""The schemas of an OpenAPI 3 document as JSON Schema 2020-12 that lets nothing pass which the document does not name.

`part` schemas are for what may be less than the real thing: no field is required.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_BRANCHES = ("allOf", "anyOf", "oneOf")
_MAPPINGS = ("properties", "patternProperties")
_SINGLES = ("items", "additionalProperties", "not")


def pointed(document: Any, reference: str) -> Any:
    """Returns what a reference such as `#/components/schemas/run` stands for."""
    found = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[unquote(step).replace("~1", "/").replace("~0", "~")]
    return found


class Schemas:
    """The schemas of one document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        @cache
        def retrieve(uri: str) -> Resource[Any]:
            kind, _, reference = uri.partition(":")
            is_part, is_open = "part" in kind, "open" in kind
            found = _closed(pointed(document, f"#/{reference}"), is_part=is_part, is_open=is_open)
            return Resource.from_contents(found, default_specification=DRAFT202012)

        self._registry: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]

    def fault(self, schema: Mapping[str, Any], value: Any, *, is_part: bool = False) -> str:
        """Returns what is most wrong with a value, nothing if it holds."""
        found = _closed(schema, is_part=is_part)
        errors = Draft202012Validator(found, registry=self._registry).iter_errors(value)
        return "; ".join(sorted({f"{error.json_path}: {error.message[:300]}" for error in errors}))


def _closed(schema: Any, *, is_part: bool, is_open: bool = False) -> Any:
    """The schema in JSON Schema's words, closed unless it `is_open`: a branch of one that is closed as a whole."""
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        kind = f"{'part' if is_part else 'whole'}{'-open' if is_open else ''}"
        return {"$ref": f"{kind}:{schema['$ref'].removeprefix('#/')}"}
    made: dict[str, Any] = {}
    for word, value in schema.items():
        if word in _BRANCHES:
            kind = "anyOf" if word == "oneOf" and is_part else word
            made[kind] = [_closed(one, is_part=is_part, is_open=True) for one in value]
        elif word in _MAPPINGS:
            made[word] = {name: _closed(one, is_part=is_part) for name, one in value.items()}
        elif word in _SINGLES:
            made[word] = _closed(value, is_part=is_part)
        elif not (is_part and word in ("required", "minProperties")) and word not in ("nullable", "discriminator"):
            made[word] = value
    made = {
        word: value for word, value in made.items() if not (word.startswith("exclusive") and value in (True, False))
    }
    if not any(word in made for word in (*_BRANCHES, *_MAPPINGS, "additionalProperties")):
        made["additionalProperties"] = True
    if not is_open and "additionalProperties" not in made:
        made["unevaluatedProperties"] = False
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") else made
