"""Documents as text: YAML or JSON in, YAML out, canonical JSON and digest.

What is read: several documents per file separated by `---`, or one JSON object or a list of them. Moments and dates
stay text, only `true` and `false` are booleans, whole numbers are decimal (the YAML 1.2 core rules). Refused, with the
line: duplicate keys, aliases (a small file could otherwise grow without end), tags, nesting deeper than DEEPEST. Also
refused: files larger than LARGEST, NUL characters.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import yaml

from activities.canonical import canonical as canonical
from activities.canonical import digest as digest
from config.errors import Fault, InvalidInput
from processes.document_order import in_order

LARGEST = 1_000_000
DEEPEST = 40

_HALF = re.compile("[\ud800-\udfff]")
_ODD = re.compile("[\x01-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_BOOL = re.compile(r"^(?:true|false)$")
_NULL = re.compile(r"^(?:~|null|)$")
_INT = re.compile(r"^[-+]?(?:0|[1-9][0-9]{0,4000})$")
_FLOAT = re.compile(r"^[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)$")
_RESOLVERS = [
    ("bool", _BOOL, "tf"),
    ("null", _NULL, ["~", "n", ""]),
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+0123456789"),
]


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            _refuse(event, "aliases (`*name`) are not supported.", "Write the value out where it is used.")
        if getattr(event, "tag", None):
            _refuse(event, f"the tag '{event.tag}' is not supported.", "Write a plain value.")
        self.depth += 1
        if self.depth > DEEPEST:
            _refuse(event, f"values are nested more than {DEEPEST} deep.")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ARG002  PyYAML's signature
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                _refuse(key, "a key must be plain text.")
            if key.value in seen:
                _refuse(key, f"the key '{key.value}' is given twice.", "Keep one of them.")
            seen.add(key.value)
        return {str(key.value): self.construct_object(value, deep=True) for key, value in node.value}

    def construct_yaml_map(self, node: Any) -> Any:
        return self.construct_mapping(node)


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _ODD.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


for _name, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, list(_first))
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, list(_first))
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_yaml_map)
_Dumper.add_representer(str, _represent_text)


def load(text: str) -> list[dict[str, Any]]:
    """The documents in a YAML or JSON text, in order; empty ones are left out.

    Raises InvalidInput whose fault paths are `line N` for what cannot be read at all.
    """
    if len(text) > LARGEST:
        raise InvalidInput([Fault("", f"The file has {len(text)} characters; {LARGEST} is the limit.")])
    read = _read_json(text)
    if read is None:
        read = _read_yaml(text)
    refuse_unstorable(read)
    faults = [
        Fault(f"document {at + 1}", "A document must be a mapping that starts with 'kind:'.")
        for at, document in enumerate(read)
        if not isinstance(document, dict)
    ]
    if faults:
        raise InvalidInput(faults)
    return read


def dump(documents: Sequence[Mapping[str, Any]]) -> str:
    """YAML text of the documents, keys in the canonical order, separated by `---`; load gives back equal documents."""
    parts = [
        yaml.dump(in_order(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        for document in documents
    ]
    return "---\n".join(parts)


def _read_yaml(text: str) -> list[Any]:
    try:
        return [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}" if mark else ""
        raise InvalidInput([Fault(place, f"This is not valid YAML: {error.problem or error.context}.")]) from error
    except yaml.YAMLError as error:
        raise InvalidInput([Fault("", f"This is not valid YAML: {str(error).splitlines()[0]}.")]) from error


def _read_json(text: str) -> list[Any] | None:
    """The documents of a JSON text; None when it is not JSON (it may still be YAML)."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found = json.loads(text, object_pairs_hook=_json_object, parse_constant=_json_constant)
    except json.JSONDecodeError:
        return None
    except (RecursionError, ValueError) as error:
        raise InvalidInput([Fault("", "The JSON is nested too deep or has a number that is too long.")]) from error
    return found if isinstance(found, list) else [found]


def refuse_unstorable(value: Any, depth: int = 0) -> None:
    """Raises InvalidInput for what cannot be stored: too deep nesting, NUL and half characters, numbers without end."""
    if depth > DEEPEST + 2:
        raise InvalidInput([Fault("", f"Values are nested more than {DEEPEST} deep.")])
    if isinstance(value, str) and ("\0" in value or _HALF.search(value)):
        raise InvalidInput([Fault("", f"The text {value[:40]!r} has a character that cannot be stored.", "Remove it.")])
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput([Fault("", "A number is too large.")])
    if isinstance(value, int) and abs(value) >= 2**63:
        raise InvalidInput([Fault("", "A whole number is too large.", "Put it in quotes if it is a name.")])
    if isinstance(value, dict):
        for inner in (*value, *value.values()):
            refuse_unstorable(inner, depth + 1)
    if isinstance(value, list):
        for inner in value:
            refuse_unstorable(inner, depth + 1)


def _json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidInput([Fault("", f"The key '{key}' is given twice in one object.", "Keep one of them.")])
        found[key] = value
    return found


def _json_constant(name: str) -> NoReturn:
    raise InvalidInput([Fault("", f"{name} is not a number that JSON knows.")])


def _refuse(where: Any, message: str, cure: str = "") -> NoReturn:
    raise InvalidInput([Fault(f"line {where.start_mark.line + 1}", message[0].upper() + message[1:], cure)])
