"""What trackers share: how their tickets are handed on, and when one that is awaited has got there."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from activities.runners import Outcome


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it stands: `status` for people, `states` are all its names for machines, in small letters.

    `is_over` says that nothing more is expected to become of it.
    """

    key: str
    title: str
    status: str
    link: str
    states: frozenset[str]
    is_over: bool = False

    def outcome(self, reference: str, **more: str) -> Outcome:
        """Returns success with the ticket as outputs; `tickets` puts it among what the release carries."""
        named = [{"reference": self.key, "title": self.title, "link": self.link}]
        told = {"ticket": self.key, "status": self.status, "url": self.link, "tickets": json.dumps(named)}
        return Outcome("succeeded", reference, self.link, {**told, **more})

    def awaited(self, reference: str, until: Collection[str], refused: Collection[str]) -> Outcome | None:
        """Returns how the wait for one of these states stands; None once it is over and went well."""
        if hit := self.states & {one.lower() for one in refused}:
            error = f"{self.key} is {self.status}: that means no ({', '.join(sorted(hit))})."
            return Outcome("failed", reference, self.link, error=error)
        if self.states & {one.lower() for one in until}:
            return None
        wanted = " or ".join(until)
        if self.is_over:
            error = f"{self.key} is {self.status}, and so over: it was waited for as {wanted}."
            return Outcome("failed", reference, self.link, error=error)
        return Outcome(
            "running", reference, self.link, error=f"Waits for {self.key}, now {self.status}, to be {wanted}."
        )
