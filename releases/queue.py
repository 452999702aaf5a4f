"""The only module that talks to Celery. Ids cross the queue, never objects; every message is a hint that may be lost.

A broker that cannot be reached is no reason to fail: what a message would have said stands in the database, and the
tick finds it there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

Start = tuple[int, int, int]

#: With more messages than this in line, those who look for lost ones do not send them again.
MOST_WAITING = 1000

#: How many releases one message has a worker start: few enough that several workers share what is due at once.
TOGETHER = 40

#: How many attempts of different releases one message has a worker start.
FEW = 10

_gathered: ContextVar[list[Start] | None] = ContextVar("gathered", default=None)
_PUBLISH = {"retry": False, "ignore_result": True}


def send_starts(starts: Sequence[Start]) -> None:
    """Have workers start attempts, each (release id, activity run id, attempt)."""
    gathered = _gathered.get()
    if gathered is None:
        _send([("releases.tasks.start", start, {}) for start in starts])
    else:
        gathered.extend(starts)


@contextmanager
def gathering() -> Iterator[None]:
    """Send the starts of the block at its end, FEW in a message: for many releases that begin one after the other."""
    starts: list[Start] = []
    token = _gathered.set(starts)
    try:
        yield
    finally:
        _gathered.reset(token)
        batches = (starts[first : first + FEW] for first in range(0, len(starts), FEW))
        _send([("releases.tasks.start_all", (batch,), {}) for batch in batches])


def send_look(release_id: int, run_id: int, attempt: int, wait: float) -> None:
    """Have a worker look at a running attempt in `wait` seconds; for short waits only."""
    _send([("releases.tasks.look", (release_id, run_id, attempt), {"countdown": wait} if wait else {})])


def send_looks(looks: Sequence[Start]) -> None:
    """Have workers look at running attempts now."""
    _send([("releases.tasks.look", look, {}) for look in looks])


def send_dues(dues: Sequence[tuple[int, int]]) -> None:
    """Have workers do what the moment of waiting runs brings, each (release id, activity run id)."""
    _send([("releases.tasks.due", due, {}) for due in dues])


def send_cancels(attempt_ids: Sequence[int]) -> None:
    """Have workers cancel attempts."""
    _send([("releases.tasks.cancel", (attempt_id,), {}) for attempt_id in attempt_ids])


def send_begins(release_ids: Sequence[int]) -> None:
    """Have workers start scheduled releases whose moment has come, TOGETHER in a message."""
    batches = (tuple(release_ids[first : first + TOGETHER]) for first in range(0, len(release_ids), TOGETHER))
    _send([("releases.tasks.begin", batch, {}) for batch in batches])


def send_held(release_ids: Sequence[int]) -> None:
    """Have workers look again at what is kept from opening in these releases."""
    _send([("releases.tasks.look_at_held", (release_id,), {}) for release_id in release_ids])


def send_tellings(run_ids: Sequence[int]) -> None:
    """Have workers tell people that these activity runs wait for them."""
    _send([("releases.tasks.tell", (run_id,), {}) for run_id in run_ids])


def send_mails(user_ids: Sequence[int]) -> None:
    """Have workers mail these people what they have not been mailed yet."""
    _send([("releases.tasks.mail", (user_id,), {}) for user_id in user_ids])


def send_checks(release_ids: Sequence[int]) -> None:
    """Have workers look at what would stop these releases."""
    _send([("releases.tasks.check", (release_id,), {}) for release_id in release_ids])


def send_plans(group_ids: Sequence[int]) -> None:
    """Have workers plan groups ahead."""
    _send([("releases.tasks.plan_group", (group_id,), {}) for group_id in group_ids])


def send_freeze_plans(freeze_ids: Sequence[int]) -> None:
    """Have workers plan freezes ahead."""
    _send([("releases.tasks.plan_freeze", (freeze_id,), {}) for freeze_id in freeze_ids])


def is_behind() -> bool:
    """Return whether so many messages wait in line that sending one again would only make the line longer."""
    try:
        with current_app.producer_pool.acquire(block=True, timeout=5) as producer:
            waiting = producer.channel.client.llen(current_app.conf.task_default_queue)
    except (OperationalError, OSError) as error:
        log.warning("The broker cannot be reached: %s", error)
        return True
    return int(waiting) > MOST_WAITING


def send_tick() -> None:
    """Have a worker do a tick now rather than within the second."""
    _send([("releases.tasks.tick", (), {})])


def _send(messages: Sequence[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> None:
    try:
        with current_app.producer_pool.acquire(block=True, timeout=5) as producer:
            for name, args, options in messages:
                current_app.send_task(name, args, producer=producer, **_PUBLISH, **options)
    except (OperationalError, OSError) as error:
        log.warning("The broker cannot be reached, so the tick will send this again: %s", error)
