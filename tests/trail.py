"""Replaying the trail of a release, to compare with what the database holds."""

from __future__ import annotations

from config.models import Event
from releases.models import ActivityRun, PhaseRun, Release

States = dict[tuple[str, int | None], str]


def fold(release: Release) -> States:
    """Replay the events of a release; each must begin where the one before has ended."""
    found: States = {("release", release.pk): "draft"}
    for name, model in (("phaserun", PhaseRun), ("activityrun", ActivityRun)):
        rows = model._default_manager.filter(release=release)
        found |= {(name, pk): "pending" for pk in rows.values_list("pk", flat=True)}
    for event in Event.objects.filter(release_id=release.pk, after__state__isnull=False).order_by("id"):
        subject, before, after = (event.subject_type, event.subject_id), event.before, event.after
        assert before is not None
        assert after is not None
        assert found[subject] == before["state"], f"{event.subject_name}: {event.verb} out of order"
        found[subject] = after["state"]
    return found


def stored(release: Release) -> States:
    """Return the states that the database holds."""
    found: States = {("release", release.pk): Release.objects.get(pk=release.pk).state}
    for name, model in (("phaserun", PhaseRun), ("activityrun", ActivityRun)):
        rows = model._default_manager.filter(release=release)
        found |= {(name, pk): state for pk, state in rows.values_list("pk", "state")}
    return found
