"""What engines say about themselves, held against documents: a connection's settings, an activity's automated block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import jsonschema
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from referencing import Registry

from activities.runners import runner_for
from config.errors import Fault, RunnerRefused
from processes.expressions_text import is_expression
from processes.schema import structural_faults
from processes.schema_formats import FORMATS
from processes.schema_words import faults_of

Schema = Mapping[str, Any]


def connection_faults(document: Mapping[str, Any]) -> list[Fault]:
    """Return everything wrong with a connection's document: its structure, then its engine's settings."""
    faults = structural_faults(document)
    if faults:
        return faults
    engine = _engine(document["provider"])
    schema = getattr(engine, "settings", None)
    if schema is None:
        return []
    settings = document.get("settings", {})
    faults = faults_of(_validator(schema), settings, "settings")
    more = getattr(engine, "faults", None)
    return faults or list(more(settings)) if more is not None else faults


def work_faults(provider: str, block: Mapping[str, Any], path: str) -> list[Fault]:
    """Return what a provider would not take of an automated block; an expression is looked at when it runs."""
    schema = getattr(_engine(provider), "work", None)
    return [] if schema is None else faults_of(cast("Validator", _Lenient(_validator(schema))), block, path)


class _Lenient:
    """A validator that leaves expressions alone."""

    def __init__(self, validator: Validator) -> None:
        self._validator = validator

    def iter_errors(self, value: Any) -> Iterator[ValidationError]:
        """Yield the errors that are not about an expression."""
        return (error for error in self._validator.iter_errors(value) if not is_expression(error.instance))


def _engine(provider: str) -> object:
    try:
        return runner_for(provider)
    except RunnerRefused:
        return None


def _validator(schema: Schema) -> Validator:
    found: Validator = jsonschema.Draft202012Validator(dict(schema), registry=Registry(), format_checker=FORMATS)
    return found
