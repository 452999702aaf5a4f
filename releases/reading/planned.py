"""When the phases and activities of a release that has not started are planned to open and to be over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from releases.execution.dates import dates_for
from releases.models import Release
from releases.trees import expansion_of


@dataclass(frozen=True, slots=True)
class PlannedDate:
    """A phase, activity or task with dates of its own, by its path; what counts from its opening is not known yet."""

    path: str
    name: str
    opens_at: datetime | None
    due_at: datetime | None


def planned_dates(release: Release) -> list[PlannedDate]:
    """Return what has an `opens` or a `due` that counts from the release's planned start or end, in document order.

    They move with the release, since nothing of them is stored before it starts. Nothing without a planned start.
    """
    expansion = expansion_of(release) if release.started_at is None and release.planned_start_at else None
    if expansion is None:
        return []
    dates, found = dates_for(release), []
    for node in expansion.tree["nodes"]:
        tasks = (node["spec"].get("tasks") or []) if node["kind"] == "manual" else []
        dated = [(node["path"], node), *((f"{node['path']}/{task['id']}", task) for task in tasks)]
        for path, entry in dated:
            opens_at = dates.moment(entry.get("opens"), release.planned_start_at)
            due_at = dates.moment(entry.get("due"))
            if opens_at is not None or due_at is not None:
                found.append(PlannedDate(path, str(entry["name"]), opens_at, due_at))
    return found
