"""A phase or an activity of a draft as a form: what has a field of its own, and everything else as YAML.

What the row's `body` holds and no field shows (an empty `depends_on` that was spelled out, say) is kept as it is, so
that saving an untouched form changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from config.admin.forms import FaultForm, show
from processes.schema import structural_faults

Body = Mapping[str, Any]


class RowForm(FaultForm):
    """A form over a row with a `body`. Subclasses say which of its keys have fields, and how the row's document looks.

    `keyed`: fields that hold one key of the body each. `kept`: keys that belong to columns; nobody may type them below.
    """

    keyed: ClassVar[Mapping[str, str]] = {}
    kept: ClassVar[tuple[str, ...]] = ()
    prefix_of_faults: ClassVar[str] = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        body = self.shown_body()
        for field, key in self.keyed.items():
            if field in self.fields:
                value = body.get(key)
                self.initial[field] = str(value).lower() if field == "when" and isinstance(value, bool) else value
        if "rest" in self.fields:
            self.initial["rest"] = self._rest_of(body)

    def shown_body(self) -> dict[str, Any]:
        """The body as the fields show it."""
        return dict(self.instance.body or {})

    def _rest_of(self, body: Body) -> dict[str, Any]:
        hidden = {*self.keyed.values(), *self.kept}
        return {key: value for key, value in body.items() if key not in hidden}

    def clean(self) -> dict[str, Any]:
        """Everything wrong with the row's document, beside the field it is in."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors or given.get("DELETE"):
            return given
        self.instance.body = self.new_body(given)
        misplaced = [key for key in given.get("rest") or {} if key in self.kept or key in self.keyed.values()]
        for key in misplaced:
            self.add_error("rest", f"'{key}' has a field of its own; write it there.")
        if not misplaced:
            faults = structural_faults(self.document(given))
            show(self, faults, self.field_of_key(), prefix=self.prefix_of_faults)
        return given

    def field_of_key(self) -> dict[str, str]:
        """The field that stands for each key of the row's document."""
        named = {key: field for field, key in self.keyed.items()} | dict(self.places)
        return {**dict.fromkeys(self.cleaned_data.get("rest") or {}, "rest"), **named}

    def new_body(self, given: Body) -> dict[str, Any]:
        """The row's body as typed; a key whose field was not touched stays as it is."""
        body = {key: value for key, value in (self.instance.body or {}).items() if key in self.kept}
        before = self.instance.body or {}
        for field, key in self.keyed.items():
            if field not in self.fields or field not in self.changed_data:
                body |= {key: before[key]} if key in before else {}
            elif given.get(field) not in (None, "", [], {}):
                body[key] = given[field]
        if "rest" not in self.fields:
            return {**self._rest_of(before), **body}
        return {**body, **(given.get("rest") or {})}

    def document(self, given: Body) -> dict[str, Any]:
        """A whole document in which this row is the only one, for its structure to be checked."""
        raise NotImplementedError


def around(phases: list[Mapping[str, Any]], **top: Any) -> dict[str, Any]:
    """A process document around some phases."""
    return {"kind": "Process", "id": "process", "name": "Process", **top, "phases": phases}
