"""Orders for commands on this machine, and waiting for what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from activities.providers import local_spool
from activities.providers.local import LocalRunner
from activities.runners import Order, Outcome

PATIENCE = 60.0


def until(ask: Callable[[], Any]) -> Any:
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + PATIENCE
    while not (answer := ask()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
    return answer


def order(*command: str, key: str = "7-1", **rest: Any) -> Order:
    return Order(key, rest.pop("connection", {"grace": 0.3}), {"command": list(command)}, **rest)


def shell(text: str, **rest: Any) -> Order:
    return order("sh", "-c", text, **rest)


def end_of(runner: LocalRunner, wanted: Order) -> Outcome:
    """The final outcome, with the whole log, read in as many pieces as it takes."""
    log, offset = "", 0
    end = time.monotonic() + PATIENCE
    while True:
        outcome = runner.look(wanted, wanted.key, offset)
        log, offset = log + outcome.log, outcome.log_offset
        if outcome.is_over:
            return Outcome(outcome.status, outcome.reference, "", outcome.outputs, outcome.error, log, offset)
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def run(runner: LocalRunner, wanted: Order) -> Outcome:
    runner.start(wanted)
    return end_of(runner, wanted)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def numbers_in(path: Path, count: int) -> list[int]:
    """The process numbers which a command wrote into a file, once they are all there."""
    until(lambda: path.exists() and len(path.read_text().split()) == count)
    return [int(number) for number in path.read_text().split()]


def wrapper_of(runner: LocalRunner, key: str = "7-1") -> int:
    claim = until(lambda: local_spool.read(str(runner.spool / key), local_spool.CLAIM))
    return int(claim["pid"])
