"""One process that runs all of Pilothouse on this machine: web, workers, follower and beat, above the embedded servers.

Started by `manage.py run`. Its children cannot outlive it: a clean stop waits for them, and the kernel ends them when
the supervisor is killed. The embedded servers stop after the last child (see `config.embedded`).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType

from config.children import Child
from config.embedded import ROOT
from config.errors import SetUpFailed
from config.leftovers import MARK, sweep

COLOURS = {"web": 36, "worker": 32, "follow": 34, "beat": 35}
STOP_WITHIN = 15.0  # seconds for web, worker and beat to finish what they do
ANSWERS_WITHIN = 60.0  # seconds for the web process to answer the first time
NO_ROOT_WARNING = "ignore:You're running the worker with superuser privileges"
WATCH_EVERY = 0.5  # seconds


class Supervisor:
    """Runs the children until it is asked to stop."""

    def __init__(self, *, port: int, state: Path, logs: Path, keep: tuple[int, ...] = (), processes: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.show_logs = True
        self._port = port
        self._state = state
        self._stopping = threading.Event()
        self._pen = threading.Lock()
        python = [sys.executable, "-m"]
        celery = [*python, "celery", "--quiet", "--app", "config.celery"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        commands = {
            "web": [*python, "gunicorn", "-c", "python:config.web", "--bind", f"127.0.0.1:{port}"],
            "worker": [*celery, "worker", "--concurrency", str(processes), *quiet],
            "follow": [sys.executable, str(ROOT / "manage.py"), "follow"],
            "beat": [*celery, "beat"],
        }
        mine = {MARK: str(state), "PYTHONUNBUFFERED": "1"}
        given = {"PYTHONWARNINGS": NO_ROOT_WARNING, "PILOTHOUSE_URL": self.address}
        environment = {**given, **os.environ, **mine}
        self.children = [
            Child(child, command, environment=environment, logs=logs, keep=keep, show=self.show)
            for child, command in commands.items()
        ]

    def start(self) -> None:
        """Starts the children and returns when the web process answers. Raises SetUpFailed when it does not."""
        require_port(self._port)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        for child in self.children:
            child.start()
        give_up_at = time.monotonic() + ANSWERS_WITHIN
        while not self._answers(ANSWERS_WITHIN) and not self._stopping.wait(0.1):
            for child in self.children:
                child.watch()
            if time.monotonic() > give_up_at:
                raise SetUpFailed(f"The web process does not answer at {self.address}: its log tells why.")

    def watch(self) -> None:
        """Keeps the children running; returns when a person or the system asks to stop."""
        while self.pause(WATCH_EVERY):
            continue

    def pause(self, seconds: float) -> bool:
        """Waits, then starts again whichever child has died; false as soon as somebody asks to stop."""
        if self._stopping.wait(seconds):
            return False
        for child in self.children:
            child.watch()
        return True

    def stop(self) -> None:
        """Stops the children, all at once, then whatever they left running."""
        for child in self.children:
            child.ask_to_stop()
        until = time.monotonic() + STOP_WITHIN
        for child in self.children:
            child.end(until)
        sweep(self._state)

    def show(self, name: str, line: str) -> None:
        """Writes one line of a child to the terminal, its name before it, in its colour when there are colours."""
        if not self.show_logs or not line.strip():
            return
        prefix = f"{name:6} │"
        if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
            prefix = f"\x1b[{COLOURS.get(name, 33)}m{prefix}\x1b[0m"
        with self._pen:
            sys.stdout.write(f"{prefix} {line}\n")
            sys.stdout.flush()

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked to stop."""
        return self._stopping.is_set()

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()

    def _answers(self, patience: float) -> bool:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=patience)
        try:
            connection.request("GET", "/health/alive")
            connection.getresponse()
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
        return True


def require_port(port: int) -> None:
    """Raises SetUpFailed when something else listens on the port, or this user may not."""
    with socket.socket() as trying:
        trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trying.bind(("127.0.0.1", port))
        except PermissionError as error:
            raise SetUpFailed(f"This user may not listen on port {port}: choose one above 1023, PORT=8000.") from error
        except OSError as error:
            raise SetUpFailed(
                f"Port {port} is taken: stop what listens there, or choose another: PORT={port + 1} make run."
            ) from error
