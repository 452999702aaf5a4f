"""Celery with stops: a worker that dies, or loses its database, exactly where a test says. Only tests start it.

`main` wraps the machine's own functions, then hands over to Celery; nothing in the product knows of it. A test arms a
stop by writing a file named after the step into the folder; the first process that gets there takes the file away, says
so with `<step>.reached`, and does the deed that the file names:

- `kill process`: the pool process is killed; its worker goes on with a new one;
- `kill worker`: the worker is killed with all its processes;
- `cut`: the server ends this process's database connection; the process goes on.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from celery.__main__ import main as celery
from django.db import connection

from activities.providers.local import LocalRunner
from activities.runners import Order, Outcome
from releases.execution import attempts, locked, opening, tick
from releases.queue import Start

#: What stands for half a minute in the product: a test need not wait so long for a rescue.
SOON = timedelta(seconds=0.5)

BEFORE_CLAIM = "before-claim"
AFTER_CLAIM = "after-claim"
BEFORE_COMMAND = "before-command"
DURING_COMMAND = "during-command"
BEFORE_RECORD = "before-record"
BEFORE_RECORD_OF_LOOK = "before-record-of-look"
BEFORE_COMMIT = "before-commit"
AFTER_COMMIT = "after-commit"
BETWEEN_FOLLOW_UPS = "between-follow-ups"
AFTER_RECORD = "after-record"
IN_TICK = "in-tick"
BEFORE_BEGINS = "before-begins"

STEPS = (
    BEFORE_CLAIM,
    AFTER_CLAIM,
    BEFORE_COMMAND,
    DURING_COMMAND,
    BEFORE_RECORD,
    BEFORE_RECORD_OF_LOOK,
    BEFORE_COMMIT,
    AFTER_COMMIT,
    BETWEEN_FOLLOW_UPS,
    AFTER_RECORD,
)


class Stops:
    """The stops of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def reach(self, step: str) -> None:
        """Does what a test has armed this step with, once."""
        taken = self.folder / f"{step}.{os.getpid()}"
        try:
            (self.folder / step).rename(taken)
        except FileNotFoundError:
            return
        deed = taken.read_text()
        taken.rename(self.folder / f"{step}.reached")
        DEEDS[deed]()


def kill_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_worker() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def cut() -> None:
    """Has the server end this process's connection; the process finds out when it uses it."""
    connection.ensure_connection()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
    other.close()


DEEDS: dict[str, Callable[[], None]] = {"kill process": kill_process, "kill worker": kill_worker, "cut": cut}


def shorten() -> None:
    """Makes rescue quick."""
    for owner, name in ((attempts, "LEASE"), (attempts, "RESEND"), (opening, "RESEND"), (tick, "AGAIN")):
        assert hasattr(owner, name)
        setattr(owner, name, SOON)


def install(stops: Stops) -> None:
    """Puts the stops around the machine's functions."""
    for owner, name, around in (
        (attempts, "claim", around_claim),
        (attempts, "record", around_record),
        (LocalRunner, "start", around_start),
        (locked.Locked, "flush", around_flush),
        (locked, "queue", queue_after_commit),
        (tick, "queue", queue_of_tick),
    ):
        setattr(owner, name, around(stops, getattr(owner, name)))


def around_claim(stops: Stops, claim: Callable[..., Any]) -> Callable[..., Any]:
    def stopping(*args: Any, **named: Any) -> Any:
        stops.reach(BEFORE_CLAIM)
        claimed = claim(*args, **named)
        if claimed is not None:
            stops.reach(AFTER_CLAIM)
        return claimed

    return stopping


def around_start(
    stops: Stops, start: Callable[[LocalRunner, Order], Outcome]
) -> Callable[[LocalRunner, Order], Outcome]:
    def stopping(runner: LocalRunner, order: Order) -> Outcome:
        stops.reach(BEFORE_COMMAND)
        outcome = start(runner, order)
        if not outcome.is_over:
            stops.reach(DURING_COMMAND)
        return outcome

    return stopping


def around_record(stops: Stops, record: Callable[..., Any]) -> Callable[..., Any]:
    def stopping(claimed: Any, outcome: Outcome, **named: Any) -> Any:
        if outcome.is_over:
            stops.reach(BEFORE_RECORD)
            if not named["take_next"]:
                stops.reach(BEFORE_RECORD_OF_LOOK)
        recorded = record(claimed, outcome, **named)
        if outcome.is_over:
            stops.reach(AFTER_RECORD)
        return recorded

    return stopping


def around_flush(stops: Stops, flush: Callable[[locked.Locked], None]) -> Callable[[locked.Locked], None]:
    def stopping(release: locked.Locked) -> None:
        flush(release)
        stops.reach(BEFORE_COMMIT)

    return stopping


def queue_after_commit(stops: Stops, queue: ModuleType) -> SimpleNamespace:
    """The queue as `releases.execution.locked` sees it: asked once a commit has succeeded."""

    def send_starts(starts: Sequence[Start]) -> None:
        stops.reach(AFTER_COMMIT)
        if len(starts) > 1:
            queue.send_starts(starts[:1])
            stops.reach(BETWEEN_FOLLOW_UPS)
            starts = starts[1:]
        queue.send_starts(starts)

    return SimpleNamespace(**{**vars(queue), "send_starts": send_starts})


def queue_of_tick(stops: Stops, queue: ModuleType) -> SimpleNamespace:
    """The queue as the tick sees it: asked once it has put off the looks it is about to send."""

    def send_looks(looks: Sequence[Start]) -> None:
        if looks:
            stops.reach(IN_TICK)
        queue.send_looks(looks)

    def send_begins(release_ids: Sequence[int]) -> None:
        if release_ids:
            stops.reach(BEFORE_BEGINS)
        queue.send_begins(release_ids)

    return SimpleNamespace(**{**vars(queue), "send_looks": send_looks, "send_begins": send_begins})


def main() -> None:
    """`FOLDER CELERY-ARGUMENTS...`, with Django set up."""
    folder, *arguments = sys.argv[1:]
    shorten()
    install(Stops(Path(folder)))
    sys.argv = ["celery", *arguments]
    celery()
