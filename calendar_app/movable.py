"""Which releases somebody may plan, asked once for thousands: `policy.may_plan` for many rows, in a few queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User

from config.permissions import allowed, held_ids
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
            "pk": held_ids(self._actor, "releases.operate_release", Release),
            "process_id": held_ids(self._actor, "processes.operate_process", Process),
            "group_id": held_ids(self._actor, "releases.operate_releasegroup", ReleaseGroup),
        }

    def _may_start(self) -> set[int]:
        if allowed(self._actor, "releases.add_release"):
            return set(Process.objects.order_by().values_list("pk", flat=True))
        return held_ids(self._actor, "processes.start_process", Process)
