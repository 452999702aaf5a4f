"""Forms that hand on to services: what a service refuses is shown where it was typed, and nothing typed is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django import forms

from config.errors import Fault, InvalidInput, PilothouseError


class FaultForm(forms.ModelForm):
    """A form with faults beside its fields. `refused` are those of a service that has refused what was sent.

    `places` names the field for the first key of a fault's path where the two differ; a path that begins with no
    field's name stands on top. `seen` is the version of the row that was read, for services that compare it.
    """

    refused: ClassVar[tuple[Fault, ...]] = ()
    places: ClassVar[Mapping[str, str]] = {}

    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen"] = getattr(self.instance, "version", None) if self.instance.pk else 0

    def clean(self) -> dict[str, Any]:
        """Browsers send texts with line ends of their own; here they are plain."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        for name, value in given.items():
            if isinstance(value, str):
                given[name] = value.replace("\r\n", "\n")
        return given

    def full_clean(self) -> None:
        """Adds what the service has refused to what the fields say themselves."""
        super().full_clean()
        if self.is_bound and self.refused:
            show(self, self.refused, self.places)


def show(form: forms.BaseForm, faults: Iterable[Fault], places: Mapping[str, str], *, prefix: str = "") -> None:
    """Puts every fault beside the field its path begins with, or on top; `prefix` is cut off the paths first."""
    for fault in faults:
        path = fault.path.removeprefix(prefix)
        head = re.split(r"[.\[]", path, maxsplit=1)[0]
        field = places.get(head, head)
        known = field in form.fields
        words = Fault("" if known and path == head else path, fault.message, fault.cure)
        form.add_error(field if known else None, str(words))


def faults_of(error: PilothouseError) -> tuple[Fault, ...]:
    """The faults an error tells of; one without a place when it tells only a message."""
    return error.faults if isinstance(error, InvalidInput) else (Fault("", error.message),)
