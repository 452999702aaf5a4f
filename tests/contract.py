"""Holds what a provider asks, and what a double answers, against the description of an API that its maker publishes.

A double may say less than the real thing, but nothing else: in answers no field is required, and none may be there that
the description does not know. Questions must hold in full.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.engine_double import Answering, Reply, Request

_METHODS = ("get", "post", "put", "patch", "delete")
_APPLICATORS = ("properties", "patternProperties")
_LISTS = ("oneOf", "anyOf", "allOf")
_JSON = re.compile(r"application/([\w.-]+\+)?json")


class Contract:
    """An OpenAPI 3 document; `faults` are all that watched exchanges have done against it, `used` what they asked for."""

    def __init__(self, document: Mapping[str, Any], *, base: str = "", error: Mapping[str, Any] | None = None) -> None:
        """`base` stands before every path of the document; `error` is the shape of errors that it does not mention."""
        self._base, self._error = base, error
        self._whole, self._part = _registry(document, is_part=False), _registry(document, is_part=True)
        self._document = document
        self._operations = sorted(
            (
                (path.count("{"), -len(path), re.compile(_pattern(path, item, operation)), method, path)
                for path, item in document["paths"].items()
                for method, operation in item.items()
                if method in _METHODS
            ),
            key=lambda found: found[:2],
        )
        self.faults: list[str] = []
        self.used: set[str] = set()
'''
'''
