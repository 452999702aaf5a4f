"""What product.md, section 2 says of a release, in its words and without the engine: may this start? is that end right?

Each run is judged by what lies next to it (its needs, what it holds, what holds it). Needs have no cycles, so if every
run is right by its neighbours, the whole is.
"""

from __future__ import annotations

from collections.abc import Iterator

from releases.tree import Key
from tests.pure.simulator import Run, Simulator

DONE = ("succeeded", "ignored", "skipped", "partially_succeeded")
SETTLED = (*DONE, "failed", "aborted")


class Oracle:
    """Judges one simulated release."""

    def __init__(self, simulator: Simulator) -> None:
        self.sim, self.tree = simulator, simulator.tree
        self.fails_fast = any(node.fail_fast for node in self.tree.nodes)

    def state(self, key: Key) -> str:
        return self.sim.runs[key].state

    def around(self, key: Key) -> Iterator[Key]:
        """Yield what holds `key`, innermost first."""
        holder = self.tree.parent(key)
        while holder is not None:
            yield holder
            holder = self.tree.parent(holder)

    # Before something opens -------------------------------------------------------------------------------------------
    def objection(self, key: Key, together: list[Key]) -> str:
        """Return why `key` may not open now `together` with others, or nothing."""
        if self.sim.state != "running":
            return "the release is not running"
        if not all(self.state(holder) == "running" for holder in self.around(key)):
            return "something around it is not open"
        if not self.is_satisfied(key):
            return "what it needs is not there"
        if self.is_stopped(key):
            return "the process fails fast"
        return "" if self.has_room(key, together) else "too many items at once"

    def is_satisfied(self, key: Key) -> bool:
        """Whether it has what it needs."""
        node = self.tree[key]
        enough = SETTLED if node.after_settled else DONE
        there = [self.state(need) in enough for need in self.tree.needs(key)]
        return not there or (any(there) if node.needs_any else all(there))

    def is_stopped(self, key: Key) -> bool:
        """Whether a failure for good lets nothing new start here, and it is not clean-up."""
        if not self.fails_fast:
            return False
        clean_up = self.tree[key].after_settled
        for holder in self.around(key):
            if clean_up:
                return False
            failed = self.tree[holder].fail_fast and any(
                run.state == "failed" and self._brings_down(other, holder) for other, run in self.sim.runs.items()
            )
            if failed:
                return True
            clean_up = self.tree[holder].after_settled
        return False

    def _brings_down(self, key: Key, scope: Key) -> bool:
        """Whether the failure of `key` means that `scope`, which lies around it, must fail."""
        if not self.tree[key].required:
            return False
        for holder in self.around(key):
            if holder == scope:
                return True
            node = self.tree[holder]
            if not node.required or (node.kind in ("subprocess", "for_each") and node.on_failure != "fail"):
                return False
        return False

    def has_room(self, key: Key, together: list[Key]) -> bool:
        """Whether `parallel` lets one more item start."""
        holder = next(self.around(key))
        limit = self.tree[holder].parallel
        under_way = [k for k in self.sim.rows_in[holder] if self.state(k) not in (*SETTLED, "pending") or k in together]
        return limit is None or len(under_way) <= limit

    # After it all -----------------------------------------------------------------------------------------------------
    def complaints(self) -> list[str]:
        """Return what is wrong with a release that ran to its end."""
        wrong = []
        for key, run in self.sim.runs.items():
            expected = self.expected(key, run)
            if run.state not in expected:
                wrong.append(f"{self.sim.drawing.path(key)} is {run.state}, should be one of {sorted(expected)}")
        return wrong

    def expected(self, key: Key, run: Run) -> set[str]:
        """Return the states in which `key` may have ended, by the states next to it."""
        if key in self.sim.left:
            return {"aborted", "skipped", "ignored", "failed"}
        began = run.opened or key in self.sim.skipped or key in self.sim.unopenable
        if not began:
            return self._never_began(key)
        if not self.is_satisfied(key):
            return set()
        if key in self.sim.skipped:
            return {"skipped"}
        if key in self.sim.unopenable and self.tree[key].is_phase:
            return {"failed"}
        if key in self.sim.unopenable or not self.tree[key].is_container:
            return {"succeeded", "failed", "ignored"}
        return self._container(key)

    def _never_began(self, key: Key) -> set[str]:
        holder = next(self.around(key))
        node = self.tree[key]
        if node.parent is not None and self.tree[holder].kind == "for_each":
            index = int(key.items.rpartition(".")[2])
            if index >= self.sim.runs[holder].count:
                return {"skipped"}
        if self.state(holder) == "skipped":
            return {"skipped", "aborted"} if self.is_stopped(key) else {"skipped"}
        shut = not self.sim.runs[holder].opened or holder in self.sim.unopenable
        return {"aborted"} if shut or not self.is_satisfied(key) or self.is_stopped(key) else set()

    def _container(self, key: Key) -> set[str]:
        """A container ends by the worst of what it holds."""
        node, rows = self.tree[key], self.sim.rows_in.get(key, [])
        plain = node.kind in ("process", "phase")
        if any(self.state(row) == "failed" and self.tree[row].required for row in rows):
            by_policy = {"hold": {"ignored", "failed"}, "ignore": {"ignored"}, "fail": {"failed"}}
            return {"failed"} if plain else by_policy[node.on_failure]
        stopped = {"failed"} if node.kind == "process" else {"aborted"}
        never_ran = [row for row in rows if self.state(row) == "aborted" and self.tree[row].required]
        verdicts = [self.is_downstream_of_a_failure(row) for row in never_ran]
        if {True} in verdicts:
            return stopped
        clean = all(self._is_clean(row) for row in rows)
        ended = {"succeeded"} if clean or not plain else {"partially_succeeded"}
        return ended | stopped if {True, False} in verdicts else ended

    def _is_clean(self, key: Key) -> bool:
        run = self.sim.runs[key]
        if run.state in ("skipped", "ignored"):
            return run.state == "skipped" or not self.tree[key].required
        if run.state != "succeeded":
            return False
        inner = self.tree[key].kind in ("subprocess", "for_each")
        return not inner or all(self._is_clean(row) for row in self.sim.rows_in.get(key, []))

    def is_downstream_of_a_failure(self, key: Key) -> set[bool]:
        """Whether what never ran depends, perhaps through others that never ran, on a required failure.

        Both may be, where failing fast was quicker or slower than something else that kept it from running.
        """
        run, holder = self.sim.runs[key], next(self.around(key))
        if key in self.sim.left:
            return {not run.partial}
        if self.is_stopped(key):
            return {True, False}
        if run.opened or not self.sim.runs[holder].opened or holder in self.sim.unopenable:
            return {True}
        lost = [need for need in self.tree.needs(key) if self.state(need) not in DONE]
        verdicts = [
            {self.tree[need].required} if self.state(need) == "failed" else self.is_downstream_of_a_failure(need)
            for need in lost
        ]
        return {True} if {True} in verdicts else set().union({False}, *verdicts)
