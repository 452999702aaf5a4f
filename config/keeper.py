"""The keeper: one process that owns the embedded PostgreSQL and broker of a state folder (see `config.embedded`).

`python -m config.keeper FOLDER [throwaway]` prints `ready` once both answer, or one sentence that says why not. It then
restarts a server that dies, and stops both when no process holds the users' lock any more. Should the keeper itself be
killed, the kernel tells both servers to stop.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from config.embedded import State
from config.errors import SetUpFailed
from config.leftovers import sweep
from config.servers import Postgres, Server, Valkey

LOOK_EVERY = 0.25  # seconds between two looks at the users' lock and the servers


class Keeper:
    """Starts, watches and stops the two servers of one state folder."""

    def __init__(self, place: State) -> None:
        self.place = place
        self.servers: list[Server] = [Valkey(place), Postgres(place)]
        self.stopping = False
        self.users = os.open(place.path / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)

    def start(self) -> None:
        """Starts both servers side by side. Raises SetUpFailed, with neither left running."""
        try:
            for server in self.servers:
                server.start()
            for server in self.servers:
                server.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def keep(self) -> None:
        """Returns when nobody needs the servers any more, or on SIGTERM or SIGINT."""
        while not self.stopping and not self._is_unused():
            for server in self.servers:
                server.revive()
            time.sleep(LOOK_EVERY)

    def stop(self) -> None:
        """Stops what a killed supervisor left, then both servers, and waits for them."""
        sweep(self.place.path)
        for server in self.servers:
            server.stop()

    def ask_to_stop(self, _signal: int, _frame: FrameType | None) -> None:
        """The handler of SIGTERM and SIGINT."""
        self.stopping = True

    def _is_unused(self) -> bool:
        try:
            fcntl.flock(self.users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def main(folder: str, *options: str) -> int:
    """Keeps the servers of `folder`; the exit status is 1 when they did not start."""
    place = State(Path(folder), throwaway="throwaway" in options)
    lock = os.open(place.path / "keeper.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    keeper = Keeper(place)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, keeper.ask_to_stop)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        keeper.start()
    except SetUpFailed as error:
        sys.stdout.write(f"{error}\n")
        return 1
    os.write(sys.stdout.fileno(), b"ready\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    try:
        keeper.keep()
    finally:
        keeper.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
