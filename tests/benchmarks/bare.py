"""The same work on bare Celery, with no state that survives: what the engine is measured against."""

from __future__ import annotations

import os

from celery import Celery, chain, group

from tests.benchmarks.marks import mark
from tests.benchmarks.shapes import STAGES

URL = os.environ.get("PILOTHOUSE_BENCH_BROKER", "")
app = Celery("bare", broker=URL, backend=URL, set_as_current=False)
app.conf.update(
    task_default_queue="bare",
    task_default_delivery_mode="transient",
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=4,
    result_expires=3600,
    worker_hijack_root_logger=False,
)


@app.task(name="act")
def act(run: str) -> None:
    """The no-op activity."""
    mark(run)


@app.task(name="join")
def join() -> None:
    """The barrier at the end of a stage."""


def send_chain(length: int) -> None:
    """Send a chain of activities."""
    chain(*[act.si(str(index)) for index in range(length)]).apply_async()


def send_release(run: int) -> None:
    """Send one release: stages of parallel activities with a barrier after each."""
    parts = []
    for size in STAGES:
        parts += [group(act.si(f"{run}") for _ in range(size)), join.si()]
    chain(*parts).apply_async()
