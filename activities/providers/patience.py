"""What engines share that wait for people, perhaps for weeks: none waits for ever with a sign-in that is refused."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from activities.runners import Order, Outcome
from config.errors import RunnerRefused

PATIENT, REFUSED_LOOK_IN = timedelta(minutes=5), 60.0
"""For how long a credential may be refused until nobody waits on, and seconds between the looks meanwhile."""
REFUSED, TIMES, ENOUGH = "refused_since", "refused_times", 5
"""What the progress tells of when the refusals have begun, and how many there were, and how many it takes at least."""


async def patiently(looking: Awaitable[Outcome], order: Order, reference: str, name: str) -> Outcome:
    """Returns what a look finds; refused, the order waits on for a while, in which the connection may be put right.

    `name` is who is asked. Raises RunnerRefused once the refusals have lasted; at once where it is refused at the very
    first question (nothing has a `reference` then, nor is it asked again), and for any other refusal.
    """
    try:
        outcome = await looking
    except RunnerRefused as refusal:
        if refusal.code != "engine_denied" or not (reference or order.again):
            raise
        return _refused(order, reference, name, refusal)
    was_refused = bool(order.progress and REFUSED in order.progress)
    return replace(outcome, progress={}) if was_refused else outcome


def _refused(order: Order, reference: str, name: str, refusal: RunnerRefused) -> Outcome:
    now, told = datetime.now(UTC), order.progress or {}
    since, times = datetime.fromisoformat(str(told.get(REFUSED) or now.isoformat())), int(told.get(TIMES) or 0) + 1
    if now - since < PATIENT or times < ENOUGH:
        progress = {REFUSED: since.isoformat(), TIMES: times, "text": "The sign-in is refused"}
        return Outcome("running", reference, error=refusal.message, look_in=REFUSED_LOOK_IN, progress=progress)
    minutes = int(PATIENT.total_seconds() // 60)
    raise RunnerRefused(
        f"{name} has refused the connection's sign-in for {minutes} minutes, so nobody waits on: do not try again "
        f"before the connection has a good one. {refusal.message}",
        code="refused_for_good",
    )
