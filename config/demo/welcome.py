"""What the terminal says once everything runs: the address, the sample log-ins, and what waits for whom."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.auth.models import User

from config.sample import ADMIN, PASSWORD, PEOPLE
from releases.health import health_of, with_health
from releases.inbox import Waiting, waiting_for
from releases.models import Release

MOST_RELEASES = 5
MOST_WAITING = 2
#: What the inbox asks for, in words.
WORDS = {
    "decision": "decide about",
    "task": "do a task of",
    "form": "fill in the form of",
    "evidence": "add evidence to",
    "sign-off": "sign",
    "done": "complete",
}


def what_is_there() -> Iterator[str]:
    """Yield the newest releases that are more than planned, a line each; nothing when there are none."""
    begun = Release.objects.exclude(state="scheduled")
    newest = with_health(begun.order_by("-pk"))[:MOST_RELEASES]
    for release in newest:
        health = health_of(release)
        more = "" if health in {"", "ok"} else f", {health.replace('_', ' ')}"
        yield f"  {release.pk:>4}  {release}: {release.state.replace('_', ' ')}{more}"
    others = begun.count() - len(newest)
    if others > 0:
        yield f"        and {others} more"
    planned = Release.objects.filter(state="scheduled").count()
    if planned:
        yield f"        {planned} more are planned ahead"


def log_ins(address: str) -> Iterator[str]:
    """Yield the sample log-ins, each with what waits for this person."""
    yield f"Sample log-ins at {address}/sign-in/, password {PASSWORD}:"
    users = {user.get_username(): user for user in User.objects.filter(username__in=PEOPLE, is_active=True)}
    for name, (given, family, groups) in PEOPLE.items():
        if name not in users:
            continue
        yield f"  {name:8} {given} {family}, {', '.join(groups)}"
        waiting = waiting_for(users[name])
        for one in waiting[:MOST_WAITING]:
            yield f"           may {_in_words(one)}"
        if len(waiting) > MOST_WAITING:
            yield f"           and {len(waiting) - MOST_WAITING} more things wait"
    yield f"  {ADMIN:8} may do everything, {address}/admin/"


def _in_words(waiting: Waiting) -> str:
    what = " and ".join(WORDS[ask] for ask in waiting.asks)
    return f"{what} “{waiting.run.name}” in release {waiting.run.release_id}"
