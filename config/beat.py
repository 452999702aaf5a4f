"""Beat is a metronome: the tick every second, which finds all that is due, and an hourly clean-up."""

from __future__ import annotations

from django_celery_beat.models import IntervalSchedule, PeriodicTask

TICK = "releases.tasks.tick"
CLEAN_UP = "releases.tasks.clean_up"


def ensure_tick() -> None:
    """Makes the rows that let beat tick every second and clean up every hour; a row that exists is put right."""
    every_second, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.update_or_create(
        name="tick",
        defaults={"task": TICK, "interval": every_second, "expire_seconds": 10, "enabled": True},
    )
    hourly, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.HOURS)
    PeriodicTask.objects.update_or_create(
        name="clean up", defaults={"task": CLEAN_UP, "interval": hourly, "expire_seconds": 600, "enabled": True}
    )
