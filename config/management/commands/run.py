"""`manage.py run`: all of Pilothouse on this machine, with nothing to set up."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import environ
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import OperationalError, connection

from config.beat import ensure_rows
from config.demo.caller import Interrupted
from config.demo.play import is_complete, play, why_not
from config.demo.screen import screen_for
from config.demo.welcome import log_ins, what_is_there
from config.embedded import Hold
from config.errors import SetUpFailed
from config.sample import make_people
from config.supervisor import Supervisor, require_port

env = environ.Env()


class Command(BaseCommand):
    """Starts the servers, brings the database up to date, then runs web, workers, follower and beat until Ctrl-C."""

    help = __doc__
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=env.int("PORT", default=8000))
        parser.add_argument("--processes", type=int, default=env.int("WORKER_PROCESSES", default=os.cpu_count() or 2))
        parser.add_argument("--sample", action="store_true", help="make the sample also in a database of your own")
        parser.add_argument("--no-demo", action="store_true", help="do not run the first release of the sample")

    def handle(self, *, port: int, processes: int, sample: bool, no_demo: bool, **options: Any) -> None:
        """Runs until it is asked to stop. Raises SetUpFailed with a sentence for a person."""
        settings.STATE.make()
        lock = self._be_the_only_one()
        require_port(port)
        hold = self._start_servers()
        try:
            with_sample = sample or settings.EMBEDDED_DATABASE
            self._prepare(with_sample=with_sample)
            keep = (hold.descriptor,) if hold else ()
            place = settings.STATE
            supervisor = Supervisor(port=port, state=place.path, logs=place.logs, keep=keep, processes=processes)
            with_demo = with_sample and not no_demo and not is_complete()
            self._supervise(supervisor, with_sample=with_sample, with_demo=with_demo)
        except KeyboardInterrupt:
            self._say("Stopped.")
        finally:
            connection.close()
            if hold:
                hold.release()
            os.close(lock)

    def _be_the_only_one(self) -> int:
        lock = os.open(settings.STATE_DIR / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SetUpFailed(f"Pilothouse already runs on {settings.STATE_DIR}: stop it first.") from error
        return lock

    def _start_servers(self) -> Hold | None:
        if not settings.EMBEDDED:
            return None
        started_at = time.monotonic()
        hold = Hold(settings.STATE)
        self._say(f"PostgreSQL and the broker are up ({time.monotonic() - started_at:.1f} s).")
        return hold

    def _prepare(self, *, with_sample: bool) -> None:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            raise SetUpFailed(f"The database cannot be reached: {str(error).splitlines()[0]}") from error
        self._say("Bringing the database up to date ...")
        call_command("migrate", verbosity=0, interactive=False)
        collect_static()
        ensure_rows()
        if with_sample and make_people():
            self._say("Made the sample people and groups.")

    def _supervise(self, supervisor: Supervisor, *, with_sample: bool, with_demo: bool) -> None:
        try:
            supervisor.show_logs = not with_demo
            self._say("Starting web, workers, follower and beat ...")
            supervisor.start()
            if with_demo and not supervisor.is_stopping:
                self._show_first_release(supervisor)
            if not supervisor.is_stopping:
                self._welcome(supervisor.address, with_sample=with_sample)
            supervisor.show_logs = True
            supervisor.watch()
            self._say("Stopping ...")
        finally:
            supervisor.stop()

    def _show_first_release(self, supervisor: Supervisor) -> None:
        if why := why_not():
            self._say(f"The first release is not shown. {why}")
            return
        screen = screen_for(sys.stdout)
        with contextlib.suppress(Interrupted):
            play(supervisor.address, screen, pause=supervisor.pause, say=self._say)

    def _welcome(self, address: str, *, with_sample: bool) -> None:
        there = list(what_is_there())
        self._say("\n".join(["", "The newest releases:", *there]) if there else "\nThere is no release yet.")
        self._say(f"\nPilothouse is at {address} (Ctrl-C stops it)\n")
        if with_sample:
            self._say("\n".join(log_ins(address)) + "\n")
        connection.close()

    def _say(self, text: str) -> None:
        self.stdout.write(f"{text}\n")
        self.stdout.flush()


def collect_static() -> None:
    """Collects and compresses static files, which takes seconds, unless that was done for these very files."""
    listed = [(name, storage.path(name)) for finder in get_finders() for name, storage in finder.list([])]
    found = [(name, (seen := Path(path).stat()).st_mtime_ns, seen.st_size) for name, path in sorted(listed)]
    digest = hashlib.sha256(repr(found).encode()).hexdigest()
    done = settings.STATE_DIR / "static.digest"
    if done.exists() and done.read_text() == digest and Path(settings.STATIC_ROOT).exists():
        return
    call_command("collectstatic", verbosity=0, interactive=False)
    done.write_text(digest)
