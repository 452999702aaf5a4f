"""Scheduled releases that become due together: what waiting costs, how late each starts, how long until all have."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks import shapes, stack

IDLE_SECONDS = 20


@contextmanager
def beat(log: Path) -> Iterator[None]:
    """Run the metronome for the length of the block."""
    from config.beat import ensure_tick  # noqa: PLC0415 - Django has only now been set up

    ensure_tick()
    with log.open("w") as output:
        command = [sys.executable, "-m", "celery", "-A", "config.celery", "beat", "-l", "WARNING"]
        process = subprocess.Popen([*command, "--pidfile="], stdout=output, stderr=subprocess.STDOUT)
        try:
            time.sleep(8)
            yield
        finally:
            process.terminate()
            process.wait(30)


def due(waiting: int, folder: Path) -> None:
    """Print the idle cost with none and with many waiting, then how they start: 100 in a second, then all at once."""
    revision = _single()
    with beat(folder / "beat.log"):
        empty = _idle_cost()
        _schedule(revision, waiting, timedelta(days=1))
        full = _idle_cost()
        print(f"idle: {empty:.2f} processor seconds a minute with none waiting, {full:.2f} with {waiting}")
        _schedule(revision, 20, timedelta(seconds=2))
        _started(20, 60)
        _report("100 due in one second", _schedule(revision, 100, timedelta(seconds=5), spread=timedelta(seconds=1)))
        _postpone_all_to(datetime.now(UTC) + timedelta(seconds=10))
        _report(f"{waiting} due at one moment", waiting)


def _single() -> Any:
    phases = [{"id": "only", "name": "Only", "activities": [shapes.activity("a0")]}]
    return stack.publish(shapes.process("single", phases))


def _idle_cost() -> float:
    """Return the processor seconds a minute that a stack costs which has nothing to do."""
    before = stack.processor_seconds()
    time.sleep(IDLE_SECONDS)
    after = stack.processor_seconds()
    spent = sum(after[kind] - before.get(kind, 0.0) for kind in after if kind != "driver")
    return spent * 60 / IDLE_SECONDS


def _schedule(revision: Any, count: int, ahead: timedelta, *, spread: timedelta = timedelta(0)) -> int:
    from releases.models import Release  # noqa: PLC0415

    now = datetime.now(UTC)
    moments = [now + ahead + spread * (index / count) for index in range(count)]
    Release.objects.bulk_create(
        [
            Release(
                process=revision.process,
                name="due",
                state="scheduled",
                created_at=now,
                planned_start_at=moment,
                next_try_at=moment,
            )
            for moment in moments
        ],
        batch_size=1000,
    )
    return count


def _postpone_all_to(moment: datetime) -> None:
    from releases.models import Release  # noqa: PLC0415

    Release.objects.filter(state="scheduled").update(planned_start_at=moment, next_try_at=moment)


def _started(count: int, seconds: float) -> list[float]:
    """Wait until so many of the releases created last have started; return how late each was, in seconds."""
    from releases.models import Release  # noqa: PLC0415

    soon = Release.objects.filter(state="scheduled", planned_start_at__lte=datetime.now(UTC) + timedelta(hours=1))
    stack.wait_until(lambda: not soon.exists(), seconds)
    started = Release.objects.filter(started_at__isnull=False).order_by("-pk" if count < 1000 else "-started_at")
    moments = started.values_list("started_at", "planned_start_at")[:count]
    return sorted((at - planned).total_seconds() for at, planned in moments if at and planned)


def _report(what: str, count: int) -> None:
    before = stack.processor_seconds()
    late = _started(count, 600)
    after = stack.processor_seconds()
    spent = {kind: (after[kind] - before.get(kind, 0.0)) / count * 1000 for kind in after}
    each = ", ".join(f"{kind} {cost:.1f}" for kind, cost in spent.items() if cost > 0.05)
    print(
        f"{what}: first {late[0]:.2f} s late, median {statistics.median(late):.2f}, "
        f"99th percentile {late[int(len(late) * 0.99) - 1]:.2f}, last {late[-1]:.2f} ({each} ms each)"
    )
