"""Values as typed boxes: one for every input that a process declares, at every level, and back into an input set.

A box's name tells its place, `given:build/cart:version`, so that a process edited meanwhile moves no value. Values for
which there is no box are kept apart as YAML, and nothing is lost.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.html import escape
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from activities.admin import SecretArea
from config.errors import InvalidInput
from processes import drafts
from processes.inputs import coerce_text, declaration_type
from processes.levels import levels_of
from processes.models import Process, Resource
from processes.services import latest_revision
from processes.store import DatabaseCatalogue

Path = tuple[str, ...]
_HINTS = {
    "list": "one item on each line",
    "object": "as JSON",
    "duration": "such as 30s, 10m, 1h30m or 2d",
    "datetime": "with an offset, such as 2026-03-02T09:00+01:00",
    "secret": "the name of a stored secret",
}


class DateInput(UnfoldAdminTextInputWidget):
    """A calendar day."""

    input_type = "date"


@dataclass(frozen=True, slots=True)
class Box:
    """One input at one level: its place, its declaration, its value now (None without one), what gives it otherwise."""

    path: Path
    name: str
    declaration: Mapping[str, Any]
    value: Any
    otherwise: Any

    @property
    def key(self) -> str:
        """The field's name."""
        return f"given:{'/'.join(self.path)}:{self.name}"

    @property
    def type(self) -> str:
        """The declared type."""
        return declaration_type(self.declaration)

    @property
    def is_needed(self) -> bool:
        """Whether it is required and nothing else gives it."""
        return bool(self.declaration.get("required")) and self.otherwise is None

    @property
    def is_expression(self) -> bool:
        """Whether the value is worked out later."""
        return isinstance(self.value, str) and "${{" in self.value

    @property
    def text(self) -> str:
        """The value as somebody would type it."""
        value = self.value
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if self.type == "secret" and isinstance(value, Mapping):
            return str(value.get("secret", ""))
        is_plain = isinstance(value, list) and all(isinstance(one, str) and not {",", "\n"} & {*one} for one in value)
        if is_plain:
            return "\n".join(value)
        return json.dumps(value, ensure_ascii=False) if isinstance(value, list | Mapping) else str(value)

    @property
    def hint(self) -> str:
        """What helps to fill it in."""
        about = str(self.declaration.get("description") or "").strip().rstrip(".")
        limits = [
            f"{word} {self.declaration[key]}"
            for key, word in (("min", "from"), ("max", "to"))
            if key in self.declaration
        ]
        pattern = self.declaration.get("pattern")
        parts = [
            self.type,
            *limits,
            *([f"matching {pattern}"] if pattern else []),
            *filter(None, [_HINTS.get(self.type)]),
        ]
        if self.otherwise is not None:
            parts.append(f"otherwise {json.dumps(self.otherwise, ensure_ascii=False)}")
        words = ", ".join(parts)
        return f"{about} ({words})." if about else f"{words[0].upper()}{words[1:]}."

    def read(self, text: str) -> Any:
        """The value that was typed. Raises InvalidInput when it does not fit."""
        return text.strip() if "${{" in text else coerce_text(self.declaration, text)


def boxes_of(process: Process, values: Mapping[str, Any]) -> list[Box]:
    """Every input of the draft, and those of the latest revision that the draft no longer has, with their values."""
    boxes: dict[tuple[Path, str], Box] = {}
    latest = latest_revision(process)
    for document in [drafts.load(process), *([latest.document] if latest else [])]:
        catalogue = DatabaseCatalogue(or_draft=True)
        catalogue.warm([document])
        for path, level in levels_of(document, catalogue).items():
            given = _at(values, path).get("inputs") or {}
            for name, declaration in (level.declarations or {}).items():
                otherwise = level.given.get(name, declaration.get("default"))
                boxes.setdefault((path, name), Box(path, name, declaration, given.get(name), otherwise))
    return sorted(boxes.values(), key=lambda box: len(box.path) > 0)


def field_of(box: Box, secrets: Collection[str], resources: Mapping[str, str]) -> forms.Field:
    """The form's field for a box."""
    label = box.name.replace("_", " ").replace("-", " ").capitalize()
    about: dict[str, Any] = {
        "label": f"{label} *" if box.is_needed else label,
        "help_text": escape(box.hint),
        "required": False,
    }
    options = _options(box, secrets, resources)
    if options is None:
        field: forms.Field = forms.CharField(widget=_widget(box), initial=box.text, strip=False, **about)
    else:
        shown = [*options, *({box.text} - {*options, ""})]
        named = [("", "-"), *((one, one) for one in shown)]
        field = forms.ChoiceField(choices=named, widget=UnfoldAdminSelectWidget, initial=box.text, **about)
    return field


def secret_field(box: Box) -> forms.CharField:
    """The write-only box for a new value of a secret."""
    return forms.CharField(
        label=f"New value for {box.name}",
        required=False,
        widget=SecretArea(),
        help_text="Stored encrypted under a name of its own and never shown again; leave it empty to keep the choice.",
    )


def _options(box: Box, secrets: Collection[str], resources: Mapping[str, str]) -> list[str] | None:
    if box.is_expression:
        return None
    if box.type == "boolean":
        return ["true", "false"]
    if box.type == "enum":
        return [str(option) for option in box.declaration.get("options") or []]
    if box.type == "secret":
        return sorted(secrets)
    if box.type in ("service", "environment"):
        return [slug for slug, kind in resources.items() if kind == box.type]
    return None


def _widget(box: Box) -> Any:
    if box.type in ("text", "list", "object"):
        return UnfoldAdminTextareaWidget(attrs={"rows": 3, "class": "ph-code" if box.type == "object" else ""})
    if box.type in ("integer", "number") and not box.is_expression:
        return UnfoldAdminIntegerFieldWidget(attrs={"step": "1" if box.type == "integer" else "any"})
    if box.type == "date" and not box.is_expression:
        return DateInput()
    return UnfoldAdminTextInputWidget()


def resources_now() -> dict[str, str]:
    """The type of every resource by its id."""
    return dict(Resource.objects.values_list("slug", "type"))


def without(values: Mapping[str, Any], boxes: Collection[Box]) -> dict[str, Any]:
    """The values for which there is no box; what is empty only because a box holds it is left out."""
    rest: dict[str, Any] = copy.deepcopy(dict(values))
    for box in boxes:
        inputs = _at(rest, box.path).get("inputs")
        if isinstance(inputs, dict) and box.name in inputs:
            del inputs[box.name]
            _prune(rest, box.path)
    return rest


def with_value(values: dict[str, Any], path: Path, name: str, value: Any) -> None:
    """Sets one value at its level."""
    level = values
    for depth, step in enumerate(path):
        level = level.setdefault("activities" if depth % 2 else "phases", {}).setdefault(step, {})
    level.setdefault("inputs", {})[name] = value


def key_of(fault_path: str) -> str:
    """The name of the box a fault tells of: `values.phases.build.inputs.x` is about `given:build:x`."""
    steps = fault_path.split(".")
    path: list[str] = []
    rest = iter(steps[1:] if steps[0] == "values" else steps)
    for word in rest:
        if word == "inputs":
            name = next(rest, "").partition("[")[0]
            return f"given:{'/'.join(path)}:{name}"
        path.append(next(rest, ""))
    return ""


def _at(values: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    found: Any = values
    for depth, step in enumerate(path):
        found = (
            (found.get("activities" if depth % 2 else "phases") or {}).get(step) if isinstance(found, Mapping) else None
        )
    return found if isinstance(found, Mapping) else {}


def _prune(values: dict[str, Any], path: Path) -> None:
    """Removes the mappings on the way to a level that hold nothing any more."""
    chain = list(_chain(values, path))
    for holder, key in reversed(chain):
        if holder.get(key) == {}:
            del holder[key]
        else:
            return


def _chain(values: dict[str, Any], path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    level = values
    for depth, step in enumerate(path):
        key = "activities" if depth % 2 else "phases"
        yield level, key
        yield level[key], step
        level = level[key][step]
    yield level, "inputs"


def read_all(boxes: Collection[Box], form: Any, rest: Mapping[str, Any]) -> dict[str, Any]:
    """The values as typed; a box that cannot be read gets its fault in the form."""
    values: dict[str, Any] = copy.deepcopy(dict(rest))
    for box in boxes:
        text = form.cleaned_data.get(box.key) or ""
        if box.key not in form.changed_data:
            if box.value is not None:
                with_value(values, box.path, box.name, box.value)
            continue
        if not text.strip():
            continue
        try:
            with_value(values, box.path, box.name, box.read(text))
        except InvalidInput as error:
            for fault in error.faults:
                form.add_error(box.key, str(fault))
    return values
