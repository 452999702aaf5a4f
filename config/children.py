"""A child process of the supervisor: started, listened to, started again when it dies, stopped with all it started."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

from config.privileges import end_with_parent

QUICKEST, SLOWEST = 0.5, 30.0  # seconds before a dead child is started again, doubled each time
STEADY_AFTER = 30.0  # seconds after which a child counts as well again
LOG_SIZE = 10 * 1024 * 1024  # bytes; two files are kept


class Child:
    """One long-running process. `show` gets each line that it writes; its log file gets them too."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        logs: Path,
        keep: tuple[int, ...] = (),
        show: Callable[[str, str], None],
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = dict(environment)
        self._keep = keep
        self._show = show
        self._log = RotatingFileHandler(logs / f"{name}.log", maxBytes=LOG_SIZE, backupCount=1)
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._started_at = 0.0
        self._start_again_at = 0.0
        self._deaths = 0

    def start(self) -> None:
        """Starts the process in a session of its own, so that the terminal's Ctrl-C does not reach it."""
        here = os.getpid()
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            pass_fds=self._keep,
            preexec_fn=lambda: end_with_parent(signal.SIGKILL, here),  # noqa: PLW1509 - one system call, made ready before
        )
        self._started_at = time.monotonic()
        self._start_again_at = 0.0
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def watch(self) -> None:
        """Starts the process again when it has died, later each time unless it was well in between."""
        if self.is_alive():
            return
        now = time.monotonic()
        if not self._start_again_at:
            assert self._process is not None
            self._deaths = 0 if now - self._started_at > STEADY_AFTER else self._deaths + 1
            pause = min(SLOWEST, QUICKEST * 2 ** max(0, self._deaths - 1))
            self._start_again_at = now + pause
            self._show(self.name, f"ended with status {self._process.returncode}; starting again in {pause:g} s")
        elif now >= self._start_again_at:
            self.start()

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self) -> None:
        """Sends SIGTERM."""
        if self._process is not None and self.is_alive():
            self._process.terminate()

    def end(self, until: float) -> None:
        """Waits until the monotonic moment `until`, then kills the process and everything in its group."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._show(self.name, "did not stop in time: killed")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._reader:
            self._reader.join(timeout=1)
        self._log.close()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            text = line.rstrip("\n")
            self._log.emit(logging.makeLogRecord({"msg": text}))
            self._show(self.name, text)
