"""What the events of a release are about, by name: they are written with the paths of phases and activities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import CharField, F, Value

from config.models import Event
from releases.models import ActivityRun, PhaseRun
from releases.reading.runs import Runs

#: Names by the type and the id of an event's subject.
Titles = Mapping[tuple[str, int | None], str]
_TYPES = {"activityrun": ActivityRun, "phaserun": PhaseRun}


def titles_of(events: Iterable[Event]) -> Titles:
    """Return the names of the phases and activities that events are about. One query."""
    ids = {kind: [event.subject_id for event in events if event.subject_type == kind] for kind in _TYPES}
    phases, activities = (
        model._default_manager.filter(pk__in=ids[kind])
        .order_by()
        .values_list(Value(kind, output_field=CharField()), F("pk"), F("name"))
        for kind, model in _TYPES.items()
    )
    return {(kind, pk): name for kind, pk, name in phases.union(activities, all=True)}


def titles_in(runs: Runs) -> Titles:
    """Return the names of the phases and activities of a release, from its runs."""
    found: dict[tuple[str, int | None], str] = {("phaserun", row.id): row.name for row in runs.phases}
    found.update({("activityrun", row.id): row.name for row in runs.activities})
    return found
