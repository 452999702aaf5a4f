"""The no-set-up default: where the embedded PostgreSQL and broker live, and how a process makes sure they run.

Pure standard library, importable before Django is set up. The servers belong to a *keeper* process (`config.keeper`);
every process that needs them is a *user* and holds a shared file lock while it lives:

1. A user takes the shared lock `users.lock` (this waits while a keeper is just stopping).
2. Under `start.lock` it looks whether a keeper runs, and starts one if not.
3. The keeper stops both servers as soon as nobody holds `users.lock` any more. The kernel drops the lock of a process
   that died, however it died, so nothing is ever left running.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from config.errors import SetUpFailed

ROOT = Path(__file__).resolve().parent.parent
LONGEST_SOCKET_DIR = 88  # a Unix socket's whole path must fit in 107 bytes; the longest name in it has 13
STOPPED_WITHIN = 45.0  # seconds that the last user waits for the servers' end
DATABASE_USER = DATABASE_NAME = "pilothouse"


@dataclass(frozen=True)
class State:
    """The folder that holds everything this installation writes: data, sockets, keys, logs, spool.

    `throwaway` servers (tests) do not wait for the disk: their data may be lost when the machine stops.
    """

    path: Path
    throwaway: bool = False

    @property
    def logs(self) -> Path:
        """The folder of the log files."""
        return self.path / "logs"

    @property
    def sockets(self) -> Path:
        """The folder of both servers' Unix sockets; a short one elsewhere when the state folder's path is too long."""
        inside = self.path / "run"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_DIR:
            return inside
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"pilothouse-{os.getuid()}-{digest}"

    @property
    def broker_socket(self) -> Path:
        """The broker's Unix socket."""
        return self.sockets / "valkey.sock"

    @property
    def database_url(self) -> str:
        """The embedded database as a URL for django-environ."""
        return f"postgresql://{DATABASE_USER}@/{DATABASE_NAME}?host={quote(str(self.sockets))}"

    def broker_url(self, number: int = 0) -> str:
        """The embedded broker as a Celery URL; `number` chooses one of its numbered databases."""
        return f"redis+socket://{self.broker_socket}?virtual_host={number}"

    def make(self) -> None:
        """Makes the folders, closed to everyone else.

        Raises SetUpFailed when that is not possible, or when somebody else made the socket folder first.
        """
        try:
            for folder in (self.path, self.logs, self.sockets):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.sockets.stat()
        except OSError as error:
            raise SetUpFailed(f"Cannot write to {error.filename}: {error.strerror}.") from error
        if found.st_uid not in {os.getuid(), 65534} or stat.S_IMODE(found.st_mode) & 0o077:
            raise SetUpFailed(f"{self.sockets} is open to others or belongs to somebody else: remove it.")


def state() -> State:
    """The state folder that `PILOTHOUSE_STATE` names, or `.pilothouse` beside manage.py."""
    path = Path(os.environ.get("PILOTHOUSE_STATE") or ROOT / ".pilothouse")
    return State(ROOT / path, throwaway=os.environ.get("PILOTHOUSE_THROWAWAY") == "1")


def is_meant() -> bool:
    """Whether the embedded servers are to be used: one of `DATABASE_URL` and `REDIS_URL` is not set."""
    return not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))


def has_database() -> bool:
    """Whether the database is the embedded one: what is tried out there is nobody's real work."""
    return not os.environ.get("DATABASE_URL")


class Hold:
    """Keeps the embedded servers of one state folder running until `release()` or the end of this process."""

    def __init__(self, place: State) -> None:
        """Starts the servers unless they run already; returns when both answer.

        Raises SetUpFailed with one sentence for a person when they do not start.
        """
        place.make()
        self._place = place
        self._users = _open_lock(place.path / "users.lock")
        fcntl.flock(self._users, fcntl.LOCK_SH)
        self._keeper: subprocess.Popen[bytes] | None = None
        try:
            self._keeper = _ensure_keeper(place)
        except BaseException:
            self.release()
            raise

    @property
    def descriptor(self) -> int:
        """The lock's file descriptor: a child that inherits it keeps the servers running for its own life too."""
        return self._users

    def release(self) -> None:
        """Lets go. The servers stop when no other process holds them; then this returns after they have stopped."""
        is_last = _try_lock(self._users)
        os.close(self._users)
        give_up_at = time.monotonic() + STOPPED_WITHIN
        while is_last and is_kept(self._place) and time.monotonic() < give_up_at:
            time.sleep(0.05)
        if is_last and self._keeper:
            self._keeper.wait()


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SetUpFailed(f"Cannot write to {path}: {error.strerror}.") from error


def _ensure_keeper(place: State) -> subprocess.Popen[bytes] | None:
    start = _open_lock(place.path / "start.lock")
    try:
        fcntl.flock(start, fcntl.LOCK_EX)
        return None if is_kept(place) else _start_keeper(place)
    finally:
        os.close(start)


def is_kept(place: State) -> bool:
    """Whether a live keeper has the servers of this state folder ready."""
    lock = _open_lock(place.path / "keeper.lock")
    try:
        return not _try_lock(lock)
    finally:
        os.close(lock)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start_keeper(place: State) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "config.keeper", str(place.path), *(["throwaway"] if place.throwaway else [])]
    with (place.logs / "keeper.log").open("ab") as log:
        keeper = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert keeper.stdout is not None
    with keeper.stdout:
        answer = keeper.stdout.readline().decode().strip()
    if answer != "ready":
        keeper.wait()
        raise SetUpFailed(answer or f"The embedded servers did not start: see {place.logs / 'keeper.log'}.")
    return keeper
