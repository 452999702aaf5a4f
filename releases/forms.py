"""Typed inputs as form fields: from a declaration to a box, and from what was typed to a value or a fault.

A field's key is both its name in the form and the path of its faults (`values.notes`, `inputs.version`,
`build/cart.version`), so that every fault finds its field. What was typed is kept exactly, right or wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from config.errors import Fault, InvalidInput
from processes import inputs as typed_inputs
from processes.inputs import declaration_type

_WIDGETS = {
    "text": "lines", "list": "lines", "object": "lines", "enum": "choice", "boolean": "choice", "date": "date",
    "datetime": "moment", "integer": "number", "number": "number",
}  # fmt: skip
_HINTS = {
    "list": "One item on each line.",
    "object": "As JSON.",
    "duration": "Such as 30s, 10m, 1h30m or 2d.",
    "secret": "The name of a stored secret, never its value.",
}
YES_NO = [("true", "Yes"), ("false", "No")]


@dataclass(slots=True)
class Field:
    """A box of a form. `now` is the value without an answer, shown beside it or as its placeholder."""

    key: str
    name: str
    declaration: Mapping[str, Any]
    text: str = ""
    now: Any = None
    source: str = ""
    faults: list[Fault] = field(default_factory=list)

    @property
    def type(self) -> str:
        """The declared type."""
        return declaration_type(self.declaration)

    @property
    def label(self) -> str:
        """The name in words."""
        words = self.name.replace("_", " ").replace("-", " ")
        return words[:1].upper() + words[1:]

    @property
    def widget(self) -> str:
        """Which kind of box: text, lines, choice, date, moment or number."""
        return _WIDGETS.get(self.type, "text")

    @property
    def is_required(self) -> bool:
        """Whether it must be answered, having no default."""
        return bool(self.declaration.get("required")) and self.declaration.get("default") is None

    @property
    def hint(self) -> str:
        """What helps to fill it in: its description, and how to write the type."""
        about = str(self.declaration.get("description") or "").strip()
        about += "." if about and about[-1] not in ".!?:" else ""
        return f"{about} {_HINTS.get(self.type, '')}".strip()

    @property
    def options(self) -> list[tuple[str, str]]:
        """The choices as (text, words)."""
        if self.type == "boolean":
            return YES_NO
        return [(str(option), str(option)) for option in self.declaration.get("options") or []]

    @property
    def placeholder(self) -> str:
        """The value that holds when the box stays empty."""
        text = "" if self.now is None else text_of(self.declaration, self.now).replace("\n", ", ")
        return "" if "${{" in text else text


@dataclass(slots=True)
class Answers:
    """What was read from a form: the values by input name, and a fault for each text that could not be read."""

    values: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def text_of(declaration: Mapping[str, Any], value: Any) -> str:
    """Return a value as somebody would type it; the reverse of `read`."""
    kind = declaration_type(declaration)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind == "secret" and isinstance(value, Mapping):
        return str(value.get("secret", ""))
    if kind == "datetime" and isinstance(value, str):
        return _local(value)
    if isinstance(value, list) and all(
        isinstance(item, str) and "," not in item and "\n" not in item for item in value
    ):
        return "\n".join(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | Mapping) else str(value)


def _local(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M") if moment.tzinfo else value


def moment_of(text: str) -> datetime:
    """Return the moment typed into a date-and-time box; without an offset it is in the reader's zone.

    Raises ValueError when it is none.
    """
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else timezone.make_aware(moment)


def read(declarations: Mapping[str, Mapping[str, Any]], data: Mapping[str, str], prefix: str) -> Answers:
    """Read the typed texts of `declarations` from a posted form; an empty box means not given."""
    answers = Answers()
    for name, declaration in declarations.items():
        text = str(data.get(prefix + name) or "").replace("\r\n", "\n")
        if not text.strip():
            continue
        try:
            if declaration_type(declaration) == "datetime":
                text = moment_of(text).isoformat()
            answers.values[name] = typed_inputs.coerce_text(declaration, text)
        except InvalidInput as error:
            answers.faults += [Fault(prefix + name, fault.message, fault.cure) for fault in error.faults]
        except ValueError:
            answers.faults.append(Fault(prefix + name, f"'{text[:60]}' is not a date and time."))
    return answers


def fields(
    declarations: Mapping[str, Mapping[str, Any]],
    prefix: str,
    *,
    values: Mapping[str, Any] | None = None,
    now: Mapping[str, Any] | None = None,
    sources: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
) -> list[Field]:
    """Return the boxes for `declarations`, filled with what was posted (`data`), otherwise with `values`."""
    shown = values or {}
    return [
        Field(
            key=prefix + name,
            name=name,
            declaration=declaration,
            text=text_of(declaration, shown.get(name)) if data is None else str(data.get(prefix + name, "")),
            now=(now or {}).get(name),
            source=(sources or {}).get(name, ""),
        )
        for name, declaration in declarations.items()
    ]


def place_faults(boxes: Iterable[Field], faults: Sequence[Fault]) -> list[Fault]:
    """Put every fault beside its field; return those that belong to none."""
    by_key = {box.key: box for box in boxes}
    homeless: list[Fault] = []
    for fault in faults:
        if fault.path in by_key:
            by_key[fault.path].faults.append(fault)
        else:
            homeless.append(fault)
    return homeless
