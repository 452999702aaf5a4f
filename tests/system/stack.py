"""A whole stack that a test may kill: a pair of servers of its own, real workers and beats, and a desk for people.

The servers are the durable ones of a real installation (nothing that was committed is lost when they are killed); a
keeper starts them again, as it does for everyone. Workers and beats are started again by the test.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis

from activities.providers import local_processes
from config.embedded import DATABASE_NAME, DATABASE_USER, Hold, State
from config.privileges import end_with_parent
from tests.system.installation import PATIENCE, ROOT, processes_of, wait_until

#: Runs a `main` of these tests in a process where Django is set up.
PROGRAM = "import django; django.setup(); from tests.system import {0}; {0}.main()"
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")
SETTLED = ("succeeded", "partially_succeeded", "failed", "aborted")


class Stack:
    """Everything that runs, in `folder`; made with the servers up and the desk open."""

    def __init__(self, folder: Path) -> None:
        self.place = State(folder / "state")
        self.stops = folder / "stops"
        self.stops.mkdir()
        self.effects = folder / "effects"
        self.effects.touch()
        self.log = (folder / "log").open("ab")
        self.told = f"; see {self.log.name}"
        dropped = ("DATABASE_URL", "REDIS_URL", "PILOTHOUSE_TEST_DATABASE", "PILOTHOUSE_TEST_SLOT")
        self.environment = {name: value for name, value in os.environ.items() if name not in dropped}
        self.environment |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PILOTHOUSE_STATE": str(self.place.path),
            "PILOTHOUSE_LOCAL_PROVIDER": "true",
        }
        self.hold = Hold(self.place)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.beats: list[subprocess.Popen[bytes]] = []
        self.desk = self.open_desk()

    # Starting and stopping --------------------------------------------------------------------------------------------
    def spawn(self, *command: str, **options: Any) -> subprocess.Popen[bytes]:
        """A process of this interpreter that does not outlive the tests."""
        here = os.getpid()
        options = {"stdout": self.log, "stderr": self.log, **options}
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment,
            preexec_fn=lambda: end_with_parent(signal.SIGKILL, here),
            start_new_session=True,
            **options,
        )

    def open_desk(self) -> subprocess.Popen[bytes]:
        """The desk, ready to start releases."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        desk = self.spawn("-c", PROGRAM.format("desk"), **pipes)
        assert desk.stdout is not None
        assert desk.stdout.readline() == b'"ready"\n'
        return desk

    def mend(self, *, workers: int = 2, beats: int = 1) -> None:
        """Starts what has died, stops what is too much, and disarms every stop."""
        for left in self.stops.iterdir():
            left.unlink()
        self.effects.write_text("")
        self.stop(self.workers[workers:] + self.beats[beats:])
        self.revive(workers=workers, beats=beats)

    def revive(self, *, workers: int = 2, beats: int = 1) -> None:
        """Starts what has died."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        self.beats = [beat for beat in self.beats if beat.poll() is None]
        while len(self.workers) < workers:
            self.start_worker()
        while len(self.beats) < beats:
            self.start_beat()

    def start_worker(self) -> None:
        """A worker with one process, which obeys the stops."""
        name = f"worker-{len(self.workers)}-{os.urandom(2).hex()}@here"
        arguments = ["--app", "config.celery", "worker", "--concurrency", "1", "--hostname", name, *QUIET]
        self.workers.append(self.spawn("-c", PROGRAM.format("stops"), str(self.stops), *arguments))

    def start_beat(self) -> None:
        """The beat of the product, as the supervisor starts it."""
        self.beats.append(self.spawn("-m", "celery", "--app", "config.celery", "beat"))

    def stop(self, processes: Iterable[subprocess.Popen[bytes]]) -> None:
        """Asks processes to end, and waits for them."""
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(PATIENCE)

    def close(self) -> None:
        """Stops everything."""
        self.desk.kill()
        for process in (*self.workers, *self.beats, self.desk):
            process.kill()
            process.wait()
        self.hold.release()
        self.log.close()

    # Breaking ---------------------------------------------------------------------------------------------------------
    def arm(self, step: str, deed: str) -> None:
        """Has the next process that reaches a step do a deed."""
        draft = self.stops / f"{step}.draft"
        draft.write_text(deed)
        draft.rename(self.stops / step)

    def wait_for(self, step: str) -> None:
        """Returns when a process has reached an armed step."""
        wait_until((self.stops / f"{step}.reached").exists, f"somebody reaches {step}{self.told}")

    def kill(self, *words: str) -> None:
        """Kills, at once, every process of the stack whose command holds one of the words."""
        for pid, command in processes_of(self.place.path).items():
            if any(word in command for word in words):
                os.kill(pid, signal.SIGKILL)

    def kill_commands(self) -> None:
        """Kills every command of the `local` provider and the wrapper that watches it."""
        claims = [json.loads(claim.read_text()) for claim in self.place.path.glob("spool/*/claim")]
        wrappers = {claim["pid"] for claim in claims if local_processes.is_alive(claim)}
        for process in psutil.process_iter(["environ"]):
            is_command = str(self.place.path) in (process.info["environ"] or {}).get("PILOTHOUSE_SCRATCH", "")
            if is_command or process.pid in wrappers:
                process.kill()

    def kill_everything(self) -> None:
        """Kills servers, keeper, workers, beats and the desk; commands of the `local` provider go on."""
        self.kill("bin/postgres", "valkey-server", "config.keeper", "config.celery", "desk.main")
        for process in (*self.workers, *self.beats, self.desk):
            process.wait()

    def restart(self) -> None:
        """Starts everything again after `kill_everything`."""
        old, self.hold = self.hold, Hold(self.place)
        old.release()
        self.desk = self.open_desk()
        self.revive()

    @contextmanager
    def workers_frozen(self) -> Iterator[None]:
        """Stops every worker and its processes for the length of the block."""
        frozen = [psutil.Process(worker.pid) for worker in self.workers]
        frozen += [child for worker in frozen for child in worker.children(recursive=True)]
        for process in frozen:
            process.suspend()
        try:
            yield
        finally:
            for process in frozen:
                process.resume()

    def broker(self) -> redis.Redis:
        """A connection to the broker."""
        return redis.Redis(unix_socket_path=str(self.place.broker_socket))

    def broker_answers(self) -> bool:
        """Whether the broker is up."""
        try:
            return bool(self.broker().ping())
        except redis.ConnectionError:
            return False

    def cut_connections(self) -> None:
        """Ends every database connection but the one that asks."""
        self.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    # Using ------------------------------------------------------------------------------------------------------------
    def ask(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query, on a connection of its own."""
        with psycopg.connect(host=str(self.place.sockets), user=DATABASE_USER, dbname=DATABASE_NAME) as database:
            return database.execute(sql, parameters).fetchall()

    def start_releases(self, document: dict[str, Any], count: int = 1, *, due_in: float | None = None) -> list[int]:
        """Starts releases at the desk, or schedules them for so many seconds on; returns their ids."""
        assert self.desk.stdin is not None
        assert self.desk.stdout is not None
        self.desk.stdin.write(json.dumps({"document": document, "count": count, "due_in": due_in}).encode() + b"\n")
        self.desk.stdin.flush()
        return [int(release) for release in json.loads(self.desk.stdout.readline())]

    def states(self, releases: list[int]) -> list[str]:
        """The states of releases; none while the database does not answer."""
        try:
            rows = self.ask("SELECT state FROM releases_release WHERE id = ANY(%(ids)s) ORDER BY id", {"ids": releases})
        except psycopg.OperationalError:
            return []
        return [state for (state,) in rows]

    def are_over(self, releases: list[int]) -> bool:
        """Whether all of these releases have settled."""
        states = self.states(releases)
        return bool(states) and all(state in SETTLED for state in states)

    def lost_attempts(self, releases: list[int]) -> list[int]:
        """The ids of the attempts whose command disappeared."""
        sql = """SELECT a.id FROM releases_attempt a JOIN releases_activityrun r ON r.id = a.activity_run_id
                  WHERE r.release_id = ANY(%(ids)s) AND a.error LIKE 'Lost%%'"""
        return [attempt for (attempt,) in self.ask(sql, {"ids": releases})]

    def has_begun(self, word: str) -> bool:
        """Whether a command has left its line among the effects."""
        return word in self.effects.read_text()
