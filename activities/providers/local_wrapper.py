"""The process between a worker and a local command: it outlives the worker and owns the command's process group.

Runs as `python -I -S` in a session of its own and imports nothing but the standard library and its neighbours. It gets
its orders as JSON on standard input (so no secret reaches a disk or a command line), and closes its standard output
when the status is written (so the worker may wait for a quick command). Where it can be killed, and what follows:

1. Before the orders are complete: no claim; a later start begins anew, a late look forbids it.
2. After the claim, before the command: whoever looks finds a claim of a dead wrapper: lost, never run again.
3. While the command runs: whoever looks kills the command and what it started: lost.
4. After the status is written: nothing is missing.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

from activities.masking import Masker, mask
from activities.providers import local_processes as processes
from activities.providers import local_spool as spool
from activities.providers.local_output import LogFile, OutputLines

CHUNK = 65_536
CHUNKS_AT_ONCE = 16
LONGEST_SLEEP = 5.0
"""Seconds after which the wrapper looks round even if no signal woke it."""
DRAIN = 1.0
"""Seconds that what a command left behind may still write, once the command itself has ended."""
RESET = tuple(number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP))


class Wrapper:
    """One attempt: claim, start, watch, report. Times are seconds on the monotonic clock."""

    log: LogFile

    def __init__(self, orders: spool.Document) -> None:
        self.orders = orders
        self.directory = str(orders["directory"])
        self.masker = Masker(orders["masks"])
        self.outputs = OutputLines()
        self.output, self.write_end = os.pipe()
        os.set_blocking(self.output, False)
        self.somebody_writes = True
        self.pid = 0
        self.cause = ""
        """Why the command was asked to end: timed_out, cancelled or stopped."""
        self.timeout_at = self.kill_at = self.ended_at = None  # type: float | None
        self.stopped = False
        self.wake = self.listen()

    def listen(self) -> int:
        """Lets every signal that matters wake the watch, through a pipe whose reading end is returned."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.stop)
        return reader

    def stop(self, *_: object) -> None:
        """Notes that somebody wants this process to end."""
        self.stopped = True

    def run(self) -> None:
        """Does the whole attempt; nothing at all when somebody else has the claim."""
        claim = {**processes.mark_of(os.getpid()), "at": time.time()}
        if not spool.write_once(self.directory, spool.CLAIM, claim):
            return
        spool.sync_directory(os.path.dirname(self.directory))
        self.log = LogFile(os.path.join(self.directory, spool.LOG), int(self.orders["log_limit"]))
        try:
            self.spawn()
        except OSError as error:
            what = mask(self.orders["command"][0], self.orders["masks"])
            self.report("failed", f"The command {what!r} could not be started: {error.strerror}.")
        else:
            self.name_group()
            self.watch()
            self.report(*self.verdict())

    def spawn(self) -> None:
        """Starts the command as leader of its own process group, in its scratch directory. Raises OSError."""
        scratch = os.path.join(self.directory, spool.SCRATCH)
        os.mkdir(scratch, 0o700)
        os.chdir(scratch)
        environment = {**self.orders["environment"], spool.SCRATCH_VARIABLE: scratch, "PWD": scratch}
        os.environ["PATH"] = environment["PATH"]
        command = self.orders["command"]
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, self.write_end, 1),
            (os.POSIX_SPAWN_DUP2, self.write_end, 2),
        ]
        self.pid = os.posix_spawnp(
            command[0], command, environment, file_actions=files, setpgroup=0, setsigmask=(), setsigdef=RESET
        )
        if self.orders["timeout"] is not None:
            self.timeout_at = time.monotonic() + self.orders["timeout"]
        os.close(self.write_end)

    def name_group(self) -> None:
        """Writes down who leads the group; on a full disk the group is known by its environment only."""
        try:
            spool.write_once(self.directory, spool.GROUP, processes.mark_of(self.pid))
        except OSError:
            return

    def watch(self) -> None:
        """Stays until the command has ended and its group is gone.

        1. Sleep until there is output, a signal, or something to do.
        2. Take output.
        3. Time up or somebody wants the end: ask the group to end; kill it when it has not done so in time.
        4. The command has ended: give what it left a moment to finish writing, then kill that too.
        """
        poll = select.poll()
        poll.register(self.wake, select.POLLIN)
        poll.register(self.output, select.POLLIN)
        while self.ended_at is None or (self.somebody_writes and time.monotonic() < self.last_call()):
            poll.poll(self.nap() * 1000)
            drain(self.wake)
            if self.somebody_writes and not self.take_output():
                poll.unregister(self.output)
            self.notice_end()
            self.hurry()
        self.kill()
        self.take_output()

    def last_call(self) -> float:
        """Returns until when those that the ended command left may still write."""
        return max(self.kill_at or 0.0, (self.ended_at or 0.0) + DRAIN)

    def nap(self) -> float:
        """Returns how many seconds to sleep at most."""
        if self.ended_at is not None:
            nearest: float | None = self.last_call()
        else:
            nearest = self.kill_at if self.cause else self.timeout_at
        if nearest is None:
            return LONGEST_SLEEP
        return min(max(nearest - time.monotonic(), 0.0) + 0.001, LONGEST_SLEEP)

    def take_output(self) -> bool:
        """Reads what is there, a bounded amount; False once nobody can write any more."""
        for _ in range(CHUNKS_AT_ONCE):
            try:
                data = os.read(self.output, CHUNK)
            except BlockingIOError:
                return True
            if not data:
                self.somebody_writes = False
                return False
            self.keep(self.masker.feed(data))
        return True

    def keep(self, data: bytes) -> None:
        """Puts masked output where it belongs."""
        self.log.write(data)
        self.outputs.feed(data)

    def notice_end(self) -> None:
        """Notes that the command has ended, without burying it: so its group's number stays ours."""
        if self.ended_at is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self.ended_at = time.monotonic()

    def hurry(self) -> None:
        """Asks the group to end when there is a cause, once; kills it when the grace is over."""
        if self.ended_at is not None:
            return
        now = time.monotonic()
        if not self.cause:
            self.cause = self.find_cause(now)
            if self.cause:
                processes.signalled(os.killpg, self.pid, signal.SIGTERM)
                self.kill_at = now + float(self.orders["grace"])
        elif self.kill_at is not None and now >= self.kill_at:
            self.kill()
            self.kill_at = None

    def find_cause(self, now: float) -> str:
        """Returns why the command should end now, "" if it should not."""
        if os.path.exists(os.path.join(self.directory, spool.CANCEL)):
            return "cancelled"
        if self.stopped:
            return "stopped"
        return "timed_out" if self.timeout_at is not None and now >= self.timeout_at else ""

    def kill(self) -> None:
        """Kills the command's group; when the command was made to end, also what has left the group."""
        processes.signalled(os.killpg, self.pid, signal.SIGKILL)
        if self.cause:
            processes.kill_by_scratch(self.directory)

    def verdict(self) -> tuple[str, str, int | None]:
        """Buries the command; returns the status, the error, and the exit status if it ended by itself."""
        end = os.waitid(os.P_PID, self.pid, os.WEXITED)
        assert end is not None
        if self.cause == "timed_out":
            return "timed_out", f"Timed out after {self.orders['timeout']:g} s.", None
        if self.cause == "cancelled":
            return "cancelled", "Cancelled.", None
        if self.cause == "stopped":
            return "failed", "Stopped from outside: the machine or somebody ended the process that watched it.", None
        if end.si_code != os.CLD_EXITED:
            return "failed", f"The command was ended by {signal.Signals(end.si_status).name}.", None
        if end.si_status:
            return "failed", f"The command ended with exit status {end.si_status}.", end.si_status
        return "succeeded", "", 0

    def report(self, status: str, error: str, exit_status: int | None = None) -> None:
        """Completes the log, writes the status, then tells a waiting worker by closing standard output."""
        self.keep(self.masker.close())
        self.outputs.close()
        if self.outputs.refused:
            self.log.write(b"\n[%d output lines were too long or too many and were not taken]\n" % self.outputs.refused)
        self.log.close()
        found = {"status": status, "error": error, "exit_status": exit_status, "outputs": self.outputs.values}
        spool.write_once(self.directory, spool.STATUS, found)
        os.close(1)


def drain(reader: int) -> None:
    """Empties a pipe that only wakes."""
    try:
        while os.read(reader, CHUNK):
            pass
    except BlockingIOError:
        return


def main() -> None:
    """Reads the orders and carries them out; orders cut off by a worker's death are none."""
    try:
        orders = json.loads(sys.stdin.buffer.read())
    except ValueError:
        return
    Wrapper(orders).run()
