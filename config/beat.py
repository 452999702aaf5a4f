"""Beat is a metronome with one row: the tick (architecture, "Traps")."""

from __future__ import annotations

from django_celery_beat.models import IntervalSchedule, PeriodicTask

TICK = "releases.tasks.tick"


def ensure_tick() -> None:
    """Makes the one row that lets beat tick every second; a row that exists is put right."""
    every_second, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.update_or_create(
        name="tick",
        defaults={"task": TICK, "interval": every_second, "expire_seconds": 10, "enabled": True},
    )
