"""An engine whose pipelines are over as soon as they start: what is left is the cost of orchestration."""

from __future__ import annotations

from activities.runners import Order, Outcome
from tests.benchmarks.marks import mark


class InstantRunner:
    """Marks the activity and succeeds."""

    kind = "instant"

    def start(self, order: Order) -> Outcome:
        """Do the no-op."""
        mark(order.key)
        return Outcome("succeeded")

    def look(self, order: Order, reference: str, log_offset: int) -> Outcome:
        """Nothing is ever under way."""
        return Outcome("succeeded")

    def cancel(self, order: Order, reference: str) -> None:
        """Nothing is ever under way."""


def instant_runner() -> InstantRunner:
    """Return the runner."""
    return InstantRunner()
