"""Boxes of the blueprint's forms: mappings as YAML, whole documents as YAML, and lists of names with suggestions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget

from config.errors import Fault, InvalidInput
from processes.document import dump, load


def as_text(value: Any) -> str:
    """A mapping as YAML text, empty for an empty one; text stays as it is."""
    if isinstance(value, Mapping):
        return dump([value]) if value else ""
    return "" if value is None else str(value)


class YamlField(forms.CharField):
    """One YAML (or JSON) mapping. What cannot be read is refused with its line; nothing typed is changed."""

    def __init__(self, *, rows: int = 4, example: str = "", **kwargs: Any) -> None:
        attrs = {"class": "ph-code", "rows": rows, "spellcheck": "false", "placeholder": example}
        kwargs.setdefault("required", False)
        super().__init__(widget=UnfoldAdminTextareaWidget(attrs=attrs), strip=False, **kwargs)

    def prepare_value(self, value: Any) -> str:
        """The text to show."""
        return as_text(value)

    def clean(self, value: Any) -> Any:
        """The mapping that was typed."""
        text = super().clean(value)
        try:
            found = load(text)
        except InvalidInput as error:
            raise ValidationError([_words(fault) for fault in error.faults]) from error
        if len(found) > 1:
            raise ValidationError("Write one mapping only, without '---'.")
        if not found and self.required:
            raise ValidationError(self.error_messages["required"])
        return found[0] if found else {}

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the text says something else than what was shown."""
        return _plain(self.prepare_value(initial)) != _plain(data or "")


def _words(fault: Fault) -> str:
    if fault.path.startswith("document "):
        return "Write a mapping: one 'name: value' on each line."
    return str(fault)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


class NamesWidget(forms.SelectMultiple):
    """Several names, suggested and searchable; others may be typed. Those chosen stand first, in their order."""

    def __init__(self, attrs: Mapping[str, Any] | None = None, choices: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__({"class": "ph-names", "data-theme": "admin-autocomplete", **(attrs or {})}, choices)

    def optgroups(self, name: str, value: list[str], attrs: Any = None) -> Any:
        """The options: the chosen names, then the others."""
        known = dict(self.choices)
        chosen = [one for one in value if one]
        rest = [(key, words) for key, words in known.items() if key not in chosen]
        self.choices = [*((one, known.get(one, one)) for one in chosen), *rest]
        return super().optgroups(name, value, attrs)

    class Media:
        js = (
            "admin/js/vendor/jquery/jquery.min.js",
            "admin/js/vendor/select2/select2.full.js",
            "admin/js/jquery.init.js",
            "pilothouse/admin.js",
        )
        css = {"screen": ("admin/css/vendor/select2/select2.css", "admin/css/autocomplete.css")}


class NamesField(forms.Field):
    """A list of names in the order chosen; whether they fit is for the document's own checks to say."""

    widget = NamesWidget

    def __init__(self, *, address: str = "", **kwargs: Any) -> None:
        attrs = {"data-address": address} if address else {}
        kwargs.setdefault("required", False)
        super().__init__(widget=NamesWidget(attrs), **kwargs)

    def suggest(self, names: Iterable[str]) -> None:
        """Offers these names."""
        self.widget.choices = [(name, name) for name in names]

    def clean(self, value: Any) -> list[str]:
        """The names, each once; NUL characters and empty names are dropped."""
        names = [str(one).replace("\0", "").strip() for one in value or []]
        return list(dict.fromkeys(name for name in names if name))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether other names, or the same in another order, were chosen."""
        return list(initial or []) != list(data or [])
