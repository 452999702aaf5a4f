"""The messages on the broker, and a worker that handles them one after the other in the test's own thread."""

from __future__ import annotations

from queue import Empty
from typing import Any

from celery import current_app

from releases import tasks

Message = tuple[str, tuple[Any, ...]]


def drain() -> list[Message]:
    """Take every message off the broker: (task without its module, arguments), in the order they were sent."""
    found: list[Message] = []
    with current_app.connection_for_read() as connection:
        queue = connection.SimpleQueue(current_app.conf.task_default_queue)
        while True:
            try:
                message = queue.get(block=False)
            except Empty:
                break
            message.ack()
            arguments, _, _ = message.payload
            found.append((message.headers["task"].rpartition(".")[2], tuple(arguments)))
        queue.close()
    return found


def deliver() -> list[Message]:
    """Handle every message on the broker, but not those that this brings about; return what was handled."""
    found = drain()
    for name, arguments in found:
        getattr(tasks, name)(*arguments)
    return found
