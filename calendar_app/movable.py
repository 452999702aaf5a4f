"""Which releases somebody may plan, asked once for thousands: `policy.may_plan` for many rows, in a few queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet

from config.permissions import allowed, visible
from config.trail import Actor
from processes.models import Process
from releases.models import Release, ReleaseGroup

MOVABLE = frozenset({"draft", "scheduled", "missed", "cancelled"})


class MayPlan:
    """What one person may plan; read when it is first needed."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        wide = ("releases.operate_release", "processes.operate_process")
        self._is_operator = any(allowed(actor, permission) for permission in wide)
        self._sets: dict[str, set[int]] = {} if self._is_operator else self._operated()
        self._startable = set() if self._is_operator else self._may_start()

    def plan(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row with `pk`, `state`, `group_id`, `process_id`, `created_by_id` may be moved."""
        if row["state"] not in MOVABLE:
            return False
        if self._is_operator or any(row[column] in pks for column, pks in self._sets.items()):
            return True
        is_own = isinstance(self._actor, User) and row["created_by_id"] == self._actor.pk
        return is_own and row["process_id"] in self._startable

    def _operated(self) -> dict[str, set[int]]:
        return {
            "pk": self._held("releases.operate_release", Release.objects.order_by()),
            "process_id": self._held("processes.operate_process", Process.objects.order_by()),
            "group_id": self._held("releases.operate_releasegroup", ReleaseGroup.objects.order_by()),
        }

    def _may_start(self) -> set[int]:
        processes = Process.objects.order_by()
        if allowed(self._actor, "releases.add_release"):
            return set(processes.values_list("pk", flat=True))
        return self._held("processes.start_process", processes)

    def _held(self, permission: str, rows: QuerySet[Any]) -> set[int]:
        return set(visible(self._actor, permission, rows).values_list("pk", flat=True))
