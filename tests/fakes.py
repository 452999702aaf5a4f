"""A pipeline engine that does what a test told it to, and remembers what it was asked."""

from __future__ import annotations

from collections import defaultdict

from activities.runners import Order, Outcome
from config.errors import RunnerUnavailable

__all__ = ["Outcome", "ScriptedRunner", "current", "failed", "renew", "running", "scripted_runner", "unreachable"]


class ScriptedRunner:
    """Answers the start of each pipeline with the next outcome scripted for it, or success at once."""

    kind = "scripted"

    def __init__(self) -> None:
        self.script: dict[str, list[Outcome | Exception]] = defaultdict(list)
        self.started: list[Order] = []
        self.looked: list[str] = []
        self.cancelled: list[str] = []
        self.looks: dict[str, list[Outcome | Exception]] = defaultdict(list)

    def start(self, order: Order) -> Outcome:
        self.started.append(order)
        return self._next(self.script[order.spec["pipeline"]])

    def look(self, order: Order, reference: str, log_offset: int) -> Outcome:
        self.looked.append(order.key)
        return self._next(self.looks[order.spec["pipeline"]])

    def cancel(self, order: Order, reference: str) -> None:
        self.cancelled.append(order.key)

    def _next(self, script: list[Outcome | Exception]) -> Outcome:
        if not script:
            return Outcome("succeeded")
        answer = script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def pipelines(self) -> list[str]:
        """The pipelines started so far, in order."""
        return [order.spec["pipeline"] for order in self.started]


#: The one runner of the current test; `tests/domain/conftest.py` renews it.
current = ScriptedRunner()


def scripted_runner() -> ScriptedRunner:
    """Return the runner of the current test."""
    return current


def renew() -> ScriptedRunner:
    """Forget everything and return the runner for a new test."""
    current.__init__()  # type: ignore[misc]
    return current


def unreachable() -> RunnerUnavailable:
    """An engine that cannot be reached."""
    return RunnerUnavailable("The engine does not answer.")


def failed(error: str = "exit status 1") -> Outcome:
    """An attempt that failed."""
    return Outcome("failed", error=error)


def running(reference: str = "42", look_in: float = 5) -> Outcome:
    """An attempt that is under way."""
    return Outcome("running", reference=reference, look_in=look_in)
