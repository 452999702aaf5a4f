"""What a person may see of each kind of thing that pages name beside a blueprint.

Apps above register theirs in AppConfig.ready(), so that a page can count and link what uses a process without knowing
their tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet

from activities.services import visible_activities
from config.permissions import visible_by_any
from config.trail import Actor
from processes.models import InputSet, Process

Sight = Callable[[Actor], QuerySet[Any]]

_sights: dict[str, Sight] = {}


def register(kind: str, sight: Sight) -> None:
    """Names what finds the rows of a kind (ReleaseGroup, Freeze, Release) that somebody may see."""
    _sights[kind] = sight


def visible_things(actor: Actor, kind: str) -> QuerySet[Any]:
    """The rows of this kind that `actor` may see."""
    own: dict[str, Sight] = {
        "Activity": visible_activities,
        "InputSet": visible_input_sets,
        "Process": visible_processes,
    }
    return {**own, **_sights}[kind](actor)


def visible_processes(actor: Actor) -> QuerySet[Process]:
    """The processes that `actor` may look at, work on or start."""
    verbs = ("view", "change", "publish", "start", "operate", "delete")
    return visible_by_any(actor, [f"processes.{verb}_process" for verb in verbs], Process.objects.all())


def visible_input_sets(actor: Actor) -> QuerySet[InputSet]:
    """The input sets that `actor` may look at or change."""
    held = [f"processes.{verb}_inputset" for verb in ("view", "change", "delete")]
    return visible_by_any(actor, held, InputSet.objects.select_related("process"))
