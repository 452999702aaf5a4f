"""The first release of the sample, from planning to documentation, and a second one that waits for people.

1. The documents in `docs/examples` are applied and published, and the secret they name gets a value.
2. The first release is made, started and followed until it has succeeded; the sample people answer what it asks them.
3. The second release is made and started, and left to whoever is looking.

Each step looks first at what is there already: cut off anywhere, the next start goes on from that point, and once both
releases have started nothing is done again. What people have changed meanwhile stays.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from activities.secrets import known_names, set_secret
from config.demo.caller import Caller, Interrupted, Pause
from config.demo.people import answer
from config.demo.screen import Lines, View
from config.demo.words import flat, rows_of
from config.errors import SetUpFailed
from config.sample import ADMIN, PEOPLE
from processes.services import apply
from releases.health import health_of
from releases.models import Release

EXAMPLES = ("multi-service-release.yaml", "system-train.yaml")
PROCESS, INPUT_SET, SECRET = "multi-service-release", "production", "demo-deploy-credential"
STARTER = "mara"
NAME = "Multi-service release"
FIRST, SECOND = "1.0.0", "1.1.0"
LOOK_EVERY = 0.25  # seconds between two looks at a release
THINK = 0.6  # seconds a person takes before answering, so that one can watch
PATIENCE = 60.0  # seconds in which something has to move

Say = Callable[[str], None]


def is_complete() -> bool:
    """Whether there is nothing left to show: the first release is over, or left to people, and the second started."""
    first, second = _release(FIRST), _release(SECOND)
    return first is not None and not _needs_us(first) and second is not None and second.state != "draft"


def why_not() -> str:
    """Return a sentence why the sample's releases cannot run here, or nothing if they can."""
    if not settings.LOCAL_PROVIDER:
        return "It runs commands on this machine: set PILOTHOUSE_LOCAL_PROVIDER=true to see it."
    missing = sorted({*PEOPLE, ADMIN} - set(User.objects.filter(is_active=True).values_list("username", flat=True)))
    return f"It needs the sample people, and {', '.join(missing)} cannot sign in." if missing else ""


def play(address: str, screen: Lines | View, *, pause: Pause, say: Say) -> None:
    """Do whatever of the three steps is missing. Raises SetUpFailed with a sentence, Interrupted."""
    first = _release(FIRST)
    if first is None:
        _apply(say)
    users = {user.get_username(): user for user in User.objects.filter(username__in=PEOPLE)}
    with ExitStack() as stack:
        people = {name: stack.enter_context(Caller(users[name], address, pause)) for name in PEOPLE}
        starter = people[STARTER]
        if first is None or _needs_us(first):
            is_new = first is None or first.state == "draft"
            number = _begin(starter, FIRST, first)
            words = f"{starter.name} ({STARTER}) has started it through the API" if is_new else "it goes on"
            say(f"\nRelease {number}, {NAME} {FIRST}: {words}.\n")
            _Watch(number, list(people.values()), screen, pause).until_it_succeeds(say)
        second = _release(SECOND)
        if second is None or second.state == "draft":
            number = _begin(starter, SECOND, second)
            say(f"Release {number}, {NAME} {SECOND}, has started too, and waits for people.\n")


def _apply(say: Say) -> None:
    admin = User.objects.get(username=ADMIN)
    for name in EXAMPLES:
        text = (settings.BASE_DIR / "docs" / "examples" / name).read_text(encoding="utf-8")
        done = apply(admin, text, now=timezone.now(), publish=True)
        say(f"Applied and published docs/examples/{name}: {len(done)} documents.")
    if not known_names([SECRET]):
        set_secret(admin, SECRET, secrets.token_urlsafe(24))
        say(f"Set the secret {SECRET} to a value made up for you.")


def _release(version: str) -> Release | None:
    return Release.objects.filter(process__slug=PROCESS, name=NAME, version=version).order_by("pk").first()


def _needs_us(release: Release) -> bool:
    """Whether a release is still to be started, or runs with nothing that a person has to decide first."""
    if release.state == "draft":
        return True
    return release.state == "running" and health_of(release) in ("ok", "waiting")


def _begin(starter: Caller, version: str, release: Release | None) -> int:
    """Make the release unless it exists, start it unless it has started, and return its number."""
    if release is None:
        plan = {"name": NAME, "version": version, "process": PROCESS, "input_set": INPUT_SET}
        made = starter.post("releases/", {**plan, "given": {"inputs": {"version": version}}})
        number, state = int(made["id"]), made["state"]
    else:
        number, state = release.pk, release.state
    if state == "draft":
        starter.post(f"releases/{number}/start/")
    return number


class _Watch:
    """Follows one release to its end."""

    def __init__(self, number: int, people: Sequence[Caller], screen: Lines | View, pause: Pause) -> None:
        self._number = number
        self._people = people
        self._screen = screen
        self._pause = pause
        self._answers = 0
        self._states: list[str] = []
        self._moved_at = time.monotonic()

    def until_it_succeeds(self, say: Say) -> None:
        """Return when the release has succeeded, or somebody else has stopped it. Raises SetUpFailed, Interrupted."""
        began_at = time.monotonic()
        try:
            tree = self._follow()
        finally:
            self._screen.close()
        if tree["state"] == "failed":
            raise SetUpFailed(_trouble(tree))
        if tree["state"] != "succeeded":
            say(f"\nRelease {self._number} is {tree['state'].replace('_', ' ')}: somebody else has decided so.\n")
            return
        took, phases = time.monotonic() - began_at, rows_of(tree)
        count = sum(row.kind != "phase" and not row.within for row in flat(phases))
        say(
            f"\nRelease {self._number} succeeded in {took:.1f} s: {len(phases)} phases, {count} activities, "
            f"{self._answers} answers from people.\n"
        )

    def _follow(self) -> Mapping[str, Any]:
        while True:
            tree: Mapping[str, Any] = self._people[0].get(f"releases/{self._number}/tree/")
            self._screen.show(tree)
            if tree["state"] != "running":
                return tree
            self._require_going(tree)
            asks = tree["health"] == "waiting"
            if not self._pause(THINK if asks else LOOK_EVERY):
                raise Interrupted
            if asks:
                answer(self._people, self._number, self._tell)

    def _tell(self, run: int, words: str) -> None:
        self._answers += 1
        self._screen.tell(run, words)

    def _require_going(self, tree: Mapping[str, Any]) -> None:
        """Raise SetUpFailed when something has failed, or nothing has moved for too long."""
        if tree["health"] in ("on_hold", "failing"):
            raise SetUpFailed(_trouble(tree))
        states = [row.state for row in flat(rows_of(tree))]
        if states != self._states:
            self._states, self._moved_at = states, time.monotonic()
        if time.monotonic() - self._moved_at > PATIENCE:
            raise SetUpFailed(f"The first release has not moved for {PATIENCE:g} s: the logs in {_logs()} tell why.")


def _trouble(tree: Mapping[str, Any]) -> str:
    bad = [row for row in flat(rows_of(tree)) if row.kind != "phase" and row.state in ("on_hold", "failed")]
    what = "; ".join(f"{' / '.join(row.place)}: {row.error or row.state.replace('_', ' ')}" for row in bad)
    return f"The first release did not succeed. {what} (The logs are in {_logs()}.)"


def _logs() -> str:
    return str(settings.STATE.logs)
