"""`make demo-real`: a whole release over a real Buildbot, Unleash and Prometheus, before your eyes.

Ctrl-C ends it and leaves nothing behind but the installed servers.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from config.demo.screen import Lines
from config.embedded import ROOT, State
from tests import installed
from tests.installed import CannotBeHad
from tests.real.engines import Engines, engines, install
from tests.real.story import Story
from tests.system.installation import Installation

FOLDER = ROOT / ".pilothouse" / "demo-real"
MOMENT = 2.0  # seconds in which applications hear of a changed flag


def main() -> int:
    """Play it, and go on until somebody ends it. Returns the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    shutil.rmtree(FOLDER, ignore_errors=True)
    try:
        say(f"Installing Buildbot, Prometheus and Unleash into {installed.FOLDER}, if they are not there yet ...")
        install()
        FOLDER.mkdir(parents=True)
        with _installation() as site, engines(FOLDER, State(site.folder)) as running:
            _play(Story(site, running, say), running)
            while True:
                time.sleep(1)
    except CannotBeHad as error:
        say(f"This cannot be shown here: {error}.")
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 0
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)


def say(text: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _installation() -> Iterator[Installation]:
    site = Installation(FOLDER / "state")
    site.port = int(os.environ.get("PORT", "8000"))
    site.environment |= {"PORT": str(site.port), "PILOTHOUSE_OUTBOUND_ALLOW": "127.0.0.1"}
    say("Starting Pilothouse ...")
    try:
        site.start()
        yield site
    finally:
        if site.process is not None:
            site.stop()
        sockets = State(site.folder).sockets
        if Path("/tmp") in sockets.parents:
            shutil.rmtree(sockets, ignore_errors=True)


def _play(story: Story, running: Engines) -> None:
    say(f"\nBuildbot    {running.buildbot}\nUnleash     {running.unleash.url} (admin, unleash4all)")
    say(f"Prometheus  {running.prometheus}\nPilothouse  {story.address} (mara, dev, quinn, otto: pilothouse)\n")
    story.prepare()
    say("\nA release that goes well:")
    story.play(story.start("1.0.0", soak="15s"), show=Lines(sys.stdout).show)
    time.sleep(MOMENT)
    say(f"Unleash tells applications that new-checkout is on for {story.share()} %.")
    say("\nA release whose errors rise while a quarter of the people see it:")
    story.play(story.start("1.1.0", soak="1m"), breaks=True, show=Lines(sys.stdout).show)
    time.sleep(MOMENT)
    say(f"Unleash tells applications that new-checkout is {story.share()}.")
    say("\nA third one is yours: sign in as quinn (pilothouse) to sign it off.")
    story.start("1.2.0", soak="15s")
    say("\nCtrl-C ends all of it.")


if __name__ == "__main__":
    sys.exit(main())
