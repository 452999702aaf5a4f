"""Processes that outlive the one which started them, by design (commands of the `local` provider) or by accident."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

MARK = "PILOTHOUSE_RUN"  # in the environment of everything that a supervisor starts; the value is its state folder
PATIENCE = 8.0  # seconds between asking and killing


def sweep(folder: Path) -> None:
    """Ends every process that the supervisor of this state folder started, and waits for it. Linux only."""
    mark = os.fsencode(f"{MARK}={folder}")
    kill_at = time.monotonic() + PATIENCE
    while left := _marked(mark):
        number = signal.SIGTERM if time.monotonic() < kill_at else signal.SIGKILL
        for process in left:
            try:
                os.kill(process, number)
            except ProcessLookupError:
                continue
        time.sleep(0.1)


def _marked(mark: bytes) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
            is_over = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if mark in environment.split(b"\0") and not is_over and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found
