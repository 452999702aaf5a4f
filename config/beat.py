"""Beat is a metronome: one row for the tick (architecture, "Traps"), two for keeping house."""

from __future__ import annotations

from django_celery_beat.models import IntervalSchedule, PeriodicTask

TICK = "releases.tasks.tick"
CLEAN_UP = "releases.tasks.clean_up"
EXTEND = "releases.tasks.extend_overdue"


def ensure_rows() -> None:
    """Makes every row that beat needs; rows that exist are put right."""
    ensure_tick()
    ensure_clean_up()
    ensure_extend()


def ensure_tick() -> None:
    """Makes the one row that lets beat tick every second; a row that exists is put right."""
    _ensure("tick", TICK, every=1, period=IntervalSchedule.SECONDS, useful_for=10)


def ensure_clean_up() -> None:
    """The same for the row that lets beat clean up every hour."""
    _ensure("clean up", CLEAN_UP, every=1, period=IntervalSchedule.HOURS, useful_for=600)


def ensure_extend() -> None:
    """The same for the row that once a minute keeps booked what releases hold past their planned end."""
    _ensure("extend overdue bookings", EXTEND, every=1, period=IntervalSchedule.MINUTES, useful_for=50)


def _ensure(name: str, task: str, *, every: int, period: str, useful_for: int) -> None:
    """`useful_for` is the number of seconds after which a message that nobody took is dropped."""
    schedule, _ = IntervalSchedule.objects.get_or_create(every=every, period=period)
    PeriodicTask.objects.update_or_create(
        name=name, defaults={"task": task, "interval": schedule, "expire_seconds": useful_for, "enabled": True}
    )
