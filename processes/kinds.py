"""The kinds of documents and who serves them. Apps register theirs in AppConfig.ready(), also those above this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.db import models

from config.errors import Fault, InvalidInput, NotFound
from config.permissions import visible
from config.trail import Actor
from processes.schema_words import did_you_mean

CREATED = "created"
CHANGED = "changed"
UNCHANGED = "unchanged"


class Apply(Protocol):
    """How a kind of document gets into the database."""

    def __call__(self, actor: Actor, document: Mapping[str, Any], *, now: datetime) -> str:
        """Makes the database say what the document says; answers created, changed or unchanged.

        Called in a transaction; the document's structure is right already. Raises InvalidInput (paths inside the
        document), NotPermitted, Conflict.
        """


class Export(Protocol):
    """How a kind of document comes out of the database again."""

    def __call__(self, slug: str) -> dict[str, Any]:
        """The document of one id, equal to the one applied. Raises NotFound."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of document: its place in the order of applying, its table, and the two functions that serve it."""

    name: str
    order: int
    model: type[models.Model]
    apply: Apply
    export: Export

    @property
    def view_permission(self) -> str:
        """The permission to see documents of this kind."""
        return f"{self.model._meta.app_label}.view_{self.model._meta.model_name}"

    def slugs(self, actor: Actor = None) -> list[str]:
        """The ids of all documents of this kind that `actor` may see, in order."""
        rows = visible(actor, self.view_permission, self.model._default_manager.all())
        return list(rows.order_by("slug").values_list("slug", flat=True))


_kinds: dict[str, Kind] = {}


def register(
    name: str, *, order: int, model: type[models.Model], apply: Apply, export: Callable[[Any], dict[str, Any]]
) -> None:
    """Names what serves a kind of document; lower orders are applied first, because later ones refer to them.

    `export` makes the document of a row of `model`.
    """

    def export_slug(slug: str) -> dict[str, Any]:
        row = model._default_manager.filter(slug=slug).first()
        if row is None:
            raise NotFound(f"There is no {name} '{slug}'.")
        return export(row)

    _kinds[name] = Kind(name, order, model, apply, export_slug)


def kind(name: str) -> Kind:
    """The kind of this name. Raises InvalidInput when there is none."""
    if name not in _kinds:
        cure = did_you_mean(name, _kinds, f"The kinds are {', '.join(_kinds)}.")
        raise InvalidInput([Fault("kind", f"'{name}' is not a kind of document.", cure)])
    return _kinds[name]


def kinds() -> list[Kind]:
    """All kinds, in the order of applying."""
    return sorted(_kinds.values(), key=lambda one: one.order)
