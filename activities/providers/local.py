"""The `local` provider: a command as a child process on the worker's own machine. Off unless it is enabled.

A wrapper process (local_wrapper) outlives the worker, so nothing here waits for a command; everything is told through
the files of a spool directory per attempt (local_spool). The claim file makes the effect at most once per key, whatever
happens around it:

- two workers start one key at once: two wrappers, one claim, one command;
- a worker dies before its wrapper had the orders: no claim, and the next start begins anew;
- a start that never got that far and that nobody repeats: a look after `CLAIM_WITHIN` takes the claim itself: lost;
- cancelled before the start: the cancellation takes the claim, and a late start finds it;
- the wrapper dies after the claim: the next look kills what is left of the command: lost.

All workers that run local commands share one machine and one state folder. Commands get a small environment: PATH,
HOME, LANG, TZ, the activity's parameters, PILOTHOUSE_KEY, PILOTHOUSE_SCRATCH (their fresh working directory) and, if
the connection has one, PILOTHOUSE_SECRET. What a command leaves in its process group when it has ended is killed; a
service that shall stay must be started outside of it (`setsid`, or better the machine's service manager).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from activities.providers.local_attempt import Attempt
from activities.runners import Order, Outcome
from config.errors import RunnerRefused, RunnerUnavailable

LOG_LIMIT = 1_048_576
CLAIM_WITHIN = 10.0
"""Seconds after which an attempt that no wrapper has claimed counts as lost."""
QUICK = 0.1
"""Seconds that a start waits for a command that ends at once."""
GRACE = 5.0
"""Seconds between asking a command to end and killing it; the connection's setting `grace` overrides it."""
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PROJECT = Path(__file__).resolve().parent.parent.parent
WRAP = "import sys; sys.path.append(sys.argv[1]); from activities.providers.local_wrapper import main; main()"
SWITCHED_OFF = (
    "Commands on this machine are switched off. Set PILOTHOUSE_LOCAL_PROVIDER=true for the workers to allow them."
)

started_here: list[subprocess.Popen[bytes]] = []
"""Wrappers that this process started and has not buried yet."""


def local_runner() -> LocalRunner:
    """Returns the local provider as the settings want it."""
    return LocalRunner(Path(settings.STATE_DIR) / "spool", enabled=settings.LOCAL_PROVIDER)


@dataclass(frozen=True)
class LocalRunner:
    """Runs commands of this machine; see the module for what it promises. A reference is the order's key."""

    spool: Path
    enabled: bool
    log_limit: int = LOG_LIMIT
    claim_within: float = CLAIM_WITHIN
    kind = "local"
    settings = {"type": "object", "properties": {"grace": {"type": "number", "minimum": 0, "maximum": 3600}}}
    work = {"type": "object", "required": ["command"]}

    def start(self, order: Order) -> Outcome:
        """Starts the command unless its key was claimed before; answers at once, with the result if it was quick.

        Raises RunnerRefused when the provider is off or the order cannot be one, RunnerUnavailable when the spool
        cannot be written or no process can be started.
        """
        if not self.enabled:
            raise RunnerRefused(SWITCHED_OFF, code="local_provider_off")
        attempt = self._attempt(order.key)
        orders = {**orders_of(order), "directory": attempt.directory, "log_limit": self.log_limit}
        with unavailable():
            attempt.make()
            if not attempt.is_claimed():
                launch(orders)
        return self.look(order, order.key, 0)

    def look(self, order: Order, reference: str, log_offset: int) -> Outcome:
        """Says how the command stands; the status is read before the log, so a final answer has all of the log."""
        attempt = self._attempt(reference or order.key)
        with unavailable():
            final = attempt.settle()
            log, offset = attempt.read_log(log_offset, whole=final is not None)
            if final is None:
                return Outcome("running", order.key, log=log, log_offset=offset, look_in=attempt.look_in())
        outputs = final.get("outputs", {})
        return Outcome(final["status"], order.key, "", outputs, final["error"], log, offset)

    def cancel(self, order: Order, reference: str) -> None:
        """Ends the command, or forbids its start. A command that is over stays as it ended."""
        attempt = self._attempt(reference or order.key)
        with unavailable():
            attempt.make()
            attempt.cancel()

    def forget(self, keys: Iterable[str]) -> None:
        """Drops log and files of attempts whose outcome is recorded; what forbids a second start stays."""
        with unavailable():
            for key in keys:
                self._attempt(key).forget()

    def forget_older(self, age: float, now: float) -> int:
        """Drops whole attempts that are over and untouched for `age` seconds before `now` (seconds since 1970).

        Returns how many. `age` must exceed the time for which a worker can still hold an old order.
        """
        with unavailable():
            return sum(attempt.forget_older(now - age) for attempt in self._attempts())

    def running(self) -> list[str]:
        """Returns the keys of the attempts that are not over, in order."""
        with unavailable():
            return [attempt.path.name for attempt in self._attempts() if attempt.settle() is None]

    def stop(self, keys: Iterable[str]) -> None:
        """Asks for the end of these attempts, as a cancellation would; for when the whole site is put down."""
        with unavailable():
            for key in keys:
                self._attempt(key).cancel()

    def _attempt(self, key: str) -> Attempt:
        if not KEY.fullmatch(key):
            raise RunnerRefused(f"{key!r} cannot name an attempt.")
        return Attempt(self.spool.absolute() / key, self.claim_within)

    def _attempts(self) -> list[Attempt]:
        keys = sorted(path.name for path in self.spool.iterdir()) if self.spool.is_dir() else []
        return [self._attempt(key) for key in keys if KEY.fullmatch(key)]


def orders_of(order: Order) -> dict[str, Any]:
    """Returns what the wrapper must know. Raises RunnerRefused with everything that is wrong; never tells a value."""
    command, grace = order.spec.get("command"), order.connection.get("grace", GRACE)
    faults = [*command_faults(command), *parameter_faults(order.parameters)]
    if not isinstance(grace, int | float) or not 0 <= grace <= 3600:
        faults.append("the connection's grace is not a number of seconds from 0 to 3600")
    if faults:
        raise RunnerRefused(f"The command cannot be started: {'; '.join(faults)}.", code="local_order")
    secret = {"PILOTHOUSE_SECRET": order.secret} if order.secret is not None else {}
    return {
        "command": command,
        "environment": {**small_environment(), **order.parameters, **secret, "PILOTHOUSE_KEY": order.key},
        "masks": [*order.masks, *secret.values()],
        "timeout": order.timeout,
        "grace": grace,
    }


def command_faults(command: object) -> list[str]:
    """Returns what keeps a value from being a command: a list of strings, the program first."""
    if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
        return ["command is not a list of strings"]
    if not command[0]:
        return ["command has no program name"]
    return [] if all(map(is_passable, command)) else ["command contains a character that no program can be given"]


def parameter_faults(parameters: Mapping[str, str]) -> list[str]:
    """Returns which parameters cannot be environment variables, by name only, because values may be secret."""
    faults = []
    for name, value in parameters.items():
        if not VARIABLE.fullmatch(name):
            faults.append(f"parameter {name!r} is no environment name (letters, digits and _, no digit first)")
        elif name.startswith("PILOTHOUSE_"):
            faults.append(f"parameter {name} uses a reserved name")
        elif not is_passable(value):
            faults.append(f"parameter {name} contains a character that no program can be given")
    return faults


def is_passable(text: str) -> bool:
    """Says whether a program can be given this text: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def small_environment() -> dict[str, str]:
    """Returns what every command gets of the worker's environment."""
    given = {name: os.environ[name] for name in ("HOME", "TZ") if name in os.environ}
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": os.environ.get("LANG", "C.UTF-8"), **given}


def launch(orders: Mapping[str, Any]) -> None:
    """Starts a wrapper, hands it its orders, and waits a moment in case the command is quick. Raises OSError."""
    started_here[:] = [process for process in started_here if process.poll() is None]
    wrapper = subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", WRAP, str(PROJECT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ},
        start_new_session=True,
    )
    started_here.append(wrapper)
    assert wrapper.stdin is not None
    assert wrapper.stdout is not None
    with wrapper.stdout:
        with wrapper.stdin:
            wrapper.stdin.write(json.dumps(orders).encode())
        select.select([wrapper.stdout], [], [], QUICK)


@contextlib.contextmanager
def unavailable() -> Iterator[None]:
    """Turns a full disk, a missing right or a lack of processes into RunnerUnavailable."""
    try:
        yield
    except OSError as error:
        raise RunnerUnavailable(f"The spool or a process cannot be had on this machine: {error.strerror}.") from error
