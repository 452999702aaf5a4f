"""A whole Pilothouse in a folder of its own: started, looked at and stopped as a person would."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 300.0  # seconds; a busy machine takes minutes to make a database, start everything and play a release


def wait_until(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Returns when `condition` holds; fails the test with `what` when it does not in time."""
    give_up_at = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < give_up_at, f"Waited {patience:g} s in vain: {what}"
        time.sleep(0.1)


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def processes_of(folder: Path) -> dict[int, str]:
    """Every live process that works for the installation in `folder`: id and command."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            is_over = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if os.fsencode(folder) in told and not is_over and int(entry.name) != os.getpid():
            found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


class Installation:
    """`manage.py run` with its state in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        dropped = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PILOTHOUSE_TEST_DATABASE")
        self.environment = {name: value for name, value in os.environ.items() if name not in dropped}
        self.environment |= {"PILOTHOUSE_STATE": str(folder), "PORT": str(self.port), "WORKER_PROCESSES": "1"}
        self.log = folder.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it is ready for people."""
        self.begin()
        wait_until(lambda: "Pilothouse is at" in self.output(), "the address is shown")

    def begin(self) -> None:
        """Starts it, and waits for nothing."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )

    def output(self) -> str:
        """What the terminal shows so far; an installation that ended too early fails the test with it."""
        text = self.log.read_text()
        assert self.process is not None
        assert self.process.poll() is None, text
        return text

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs another management command of the same installation."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def is_ready(self) -> bool:
        """Whether web, database and broker answer."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5) as answer:
                return bool(json.load(answer)["status"] == "ready")
        except (URLError, OSError):
            return False

    def children(self, words: str) -> list[int]:
        """The ids of the processes whose command holds `words`."""
        return [pid for pid, command in processes_of(self.folder).items() if words in command]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal to the supervisor and waits for its end; returns its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)
