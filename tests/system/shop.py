"""The process that crash tests run, and what they expect of its releases."""

from __future__ import annotations

from typing import Any

from tests.system import ledger
from tests.system.installation import wait_until
from tests.system.stack import Stack

WITHIN = 45.0  # seconds for a release that takes two when nothing happens; two cores may have much else to do


def shop(stack: Stack) -> dict[str, Any]:
    """Six commands, one of them slow."""
    #                ┌──> test ──┐
    # build: compile ┼──> lint ──┼──> package (slow) ──> deploy: ship
    #                └──> scan ──┘
    build = [
        activity(stack, "compile"),
        activity(stack, "test", "compile"),
        activity(stack, "lint", "compile"),
        activity(stack, "scan", "compile"),
        activity(stack, "package", "test", "lint", "scan", seconds=0.5),
    ]
    deploy = [activity(stack, "ship")]
    phases = [{"id": "build", "activities": build}, {"id": "deploy", "depends_on": ["build"], "activities": deploy}]
    return {"id": "shop", "phases": phases}


def activity(stack: Stack, name: str, *needs: str, seconds: float = 0) -> dict[str, Any]:
    """A command that leaves its attempt's key and its own name among the effects, first of all."""
    effect = f'echo "$PILOTHOUSE_KEY {name}" >>"$EFFECTS"'
    text = f'{effect}; sleep {seconds}; echo did {name}; echo "::output key=$PILOTHOUSE_KEY"'
    block = {"connection": "local", "command": ["sh", "-c", text], "parameters": {"EFFECTS": str(stack.effects)}}
    outputs = {"key": {"type": "string"}}
    return {"id": name, "depends_on": list(needs), "automated": block, "outputs": outputs, "retry": {"attempts": 3}}


def ends_right(stack: Stack, releases: list[int], *, lost: bool = False, within: float = WITHIN) -> None:
    """The releases are over in time and everything about them is consistent; what has died is started again.

    `lost` says that commands were killed, so that there may be attempts that were lost and tried again.
    """

    def are_over() -> bool:
        stack.revive()
        return stack.are_over(releases)

    wait_until(are_over, f"the releases are over{stack.told}", patience=within)
    assert [fault for release in releases for fault in ledger.faults(stack, release, lost=lost)] == []
