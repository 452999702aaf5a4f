"""A JSON column that keeps the order of keys: people chose the order of inputs, form fields and outputs.

PostgreSQL's `jsonb` sorts keys; its `json` keeps the text as it was. It cannot be compared or searched in place: cast
it to `jsonb` in the query that needs to (`searchable`).
"""

from __future__ import annotations

from functools import partial
from json import dumps
from typing import Any

from django.db import models
from django.db.models.functions import Cast
from psycopg.types.json import Json, Jsonb


class DocumentField(models.JSONField):
    """JSON kept in its own order, in a column of PostgreSQL's type `json`."""

    def db_type(self, connection: Any) -> str:  # noqa: ARG002 - Django's signature
        """Return the column's type."""
        return "json"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Return the value as `json`: Django sends `jsonb`, which is sorted before it arrives."""
        sent = super().get_db_prep_value(value, connection, prepared)
        return Json(sent.obj, partial(dumps, cls=self.encoder)) if isinstance(sent, Jsonb) else sent

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the value; psycopg has read `json` already."""
        return super().from_db_value(value, expression, connection) if isinstance(value, str) else value


def searchable(name: str) -> Cast:
    """Return the document column `name` as `jsonb`, for queries that look inside it."""
    return Cast(name, models.JSONField())
