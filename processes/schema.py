"""Whether a document has the right structure: every fault at once, in plain words, each with its place and a cure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import jsonschema
from jsonschema.protocols import Validator
from referencing import Registry

from config.errors import Fault, InvalidInput
from processes.schema_formats import FORMATS
from processes.schema_kinds import KINDS
from processes.schema_words import did_you_mean, faults_of


def structural_faults(document: Mapping[str, Any]) -> list[Fault]:
    """Everything wrong with the structure of one document; paths like `phases[2].activities[0].depends_on[1]`."""
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        known = ", ".join(KINDS)
        shown = f"'{kind}' is not a kind of document." if kind else "'kind' is missing."
        return [Fault("kind", shown, did_you_mean(str(kind), KINDS, f"The kinds are {known}."))]
    return faults_of(_validator(kind), document)


def require_structure(documents: Sequence[Mapping[str, Any]]) -> None:
    """Raises InvalidInput with the structural faults of all documents and of ids used twice for one kind.

    Paths start with the document's place among several: `Process hotfix: phases[0].id`.
    """
    faults: list[Fault] = []
    seen: set[tuple[Any, Any]] = set()
    for document in documents:
        found = structural_faults(document)
        key = (document.get("kind"), str(document.get("id")))
        if key in seen:
            found.append(Fault("id", f"There are two documents {key[0]} '{key[1]}'.", "Keep one of them."))
        seen.add(key)
        faults += placed(document, found) if len(documents) > 1 else found
    if faults:
        raise InvalidInput(faults)


def placed(document: Mapping[str, Any], faults: Sequence[Fault]) -> list[Fault]:
    """The faults with the document's kind and id before their paths."""
    label = f"{document.get('kind', 'document')} {document.get('id', '?')}"
    return [Fault(f"{label}: {fault.path}" if fault.path else label, fault.message, fault.cure) for fault in faults]


def schema_for(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of document, for the API's documentation and for editors."""
    return KINDS[kind]


@cache
def _validator(kind: str) -> Validator:
    validator: Validator = jsonschema.Draft202012Validator(KINDS[kind], registry=Registry(), format_checker=FORMATS)
    return validator
