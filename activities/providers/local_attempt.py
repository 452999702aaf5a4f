"""The worker's view of one local attempt: its directory, how it stands, and the verdicts nobody else would give."""

from __future__ import annotations

import codecs
import functools
import shutil
import signal
import time
from pathlib import Path

from activities.providers import local_processes as processes
from activities.providers import local_spool as spool

SHORTEST_LOOK, LONGEST_LOOK, LOOK_SHARE = 0.2, 5.0, 0.25
LOST = "Lost: the command or the process that watched it disappeared. It is not known how far it got."
NEVER_RAN = "Lost before the start: nothing ran."
CANCELLED_EARLY = "Cancelled before the start."
CANCELLED_UNWATCHED = "Cancelled; the process that watched the command had disappeared."


class Attempt:
    """One directory of the spool. `claim_within` is how many seconds an unclaimed attempt may stay so."""

    def __init__(self, directory: Path, claim_within: float) -> None:
        self.path = directory
        self.directory = str(directory)
        self.claim_within = claim_within

    def make(self) -> None:
        """Makes the directory; one that exists counts as young again, because somebody is about to claim it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)
        self.path.touch()

    def is_claimed(self) -> bool:
        """Whether it is decided if the command runs."""
        return spool.read(self.directory, spool.CLAIM) is not None

    def settle(self) -> spool.Document | None:
        """Returns the final status, None while there is none; decides it where nobody else will.

        0. No directory: forgotten, or another machine's. Nobody knows any more.
        1. Unclaimed and young: a wrapper may be on its way. Unclaimed and old: take the claim, so that none can.
        2. Claimed by a wrapper: ask whether it lives before reading the status, which it writes as its last deed.
        3. Dead without a status: kill what it left, and only then say so, because a retry may follow at once.
        """
        claim = spool.read(self.directory, spool.CLAIM)
        if claim is None:
            if not self.path.is_dir():
                return {"status": "failed", "error": LOST}
            if time.time() - self.path.stat().st_mtime < self.claim_within:
                return None
            spool.write_once(self.directory, spool.CLAIM, {"status": "failed", "error": NEVER_RAN})
            claim = spool.read(self.directory, spool.CLAIM)
        assert claim is not None
        lives = "status" not in claim and processes.is_alive(claim)
        final = claim if "status" in claim else spool.read(self.directory, spool.STATUS)
        if final is not None or lives:
            return final
        processes.kill_what_is_left(self.directory)
        cancelled = spool.read(self.directory, spool.CANCEL) is not None
        verdict = ("cancelled", CANCELLED_UNWATCHED) if cancelled else ("failed", LOST)
        spool.write_once(self.directory, spool.STATUS, dict(zip(("status", "error"), verdict, strict=True)))
        return spool.read(self.directory, spool.STATUS)

    def cancel(self) -> None:
        """Forbids the start, or asks the wrapper to end the command, or ends what a dead wrapper left."""
        if spool.write_once(self.directory, spool.CLAIM, {"status": "cancelled", "error": CANCELLED_EARLY}):
            return
        claim = spool.read(self.directory, spool.CLAIM)
        assert claim is not None
        if "status" in claim or spool.read(self.directory, spool.STATUS) is not None:
            return
        spool.write_once(self.directory, spool.CANCEL, {"at": time.time()})
        if not processes.send(claim["pid"], signal.SIGTERM, functools.partial(processes.is_alive, claim)):
            self.settle()

    def read_log(self, offset: int, *, whole: bool) -> tuple[str, int]:
        """Returns the log from a byte offset on, and the next offset; a cut-off last character waits unless `whole`."""
        try:
            with (self.path / spool.LOG).open("rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return "", offset
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(data, final=whole)
        return text.replace("\0", "\ufffd"), offset + len(data) - len(decoder.getstate()[0])

    def look_in(self) -> float:
        """Returns after how many seconds to look again: the longer it has run, the later."""
        now = time.time()
        claim = spool.read(self.directory, spool.CLAIM) or {}
        elapsed: float = now - claim.get("at", now)
        return min(max(elapsed * LOOK_SHARE, SHORTEST_LOOK), LONGEST_LOOK)

    def forget(self) -> None:
        """Drops the log and the scratch directory; the claim and the status stay."""
        (self.path / spool.LOG).unlink(missing_ok=True)
        shutil.rmtree(self.path / spool.SCRATCH, ignore_errors=True)

    def forget_older(self, moment: float) -> bool:
        """Drops everything when it is over and was not touched since `moment` (seconds since 1970); True if it did."""
        if self.path.stat().st_mtime >= moment or self.settle() is None:
            return False
        shutil.rmtree(self.path, ignore_errors=True)
        return True
