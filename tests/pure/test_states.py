"""Every state against every move."""

from __future__ import annotations

import ast
import inspect
from enum import StrEnum

import pytest

from releases import states
from releases.states import ActivityState, IllegalMove, PhaseState, ReleaseState, check_move

# The table as product.md, section 2 gives it, one line for each state; written by hand, so that a change to the code's
# table needs a second thought here.
RELEASE = """
    draft: scheduled running
    scheduled: running cancelled missed
    running: paused succeeded partially_succeeded failed aborted
    paused: running succeeded partially_succeeded failed aborted
    succeeded:
    partially_succeeded:
    failed:
    aborted:
    cancelled: scheduled
    missed: scheduled
"""
PHASE = """
    pending: running skipped failed aborted
    running: succeeded partially_succeeded failed aborted pending
    succeeded: pending
    partially_succeeded: pending
    failed: pending
    skipped: pending
    aborted: pending
"""
ACTIVITY = """
    pending: queued running waiting succeeded on_hold failed ignored skipped aborted
    queued: running waiting succeeded on_hold failed ignored skipped aborted pending
    running: queued succeeded on_hold failed ignored skipped aborted pending
    waiting: queued succeeded on_hold failed ignored skipped aborted pending
    on_hold: queued ignored failed aborted pending
    succeeded: pending
    failed: pending
    ignored: pending
    skipped: pending
    aborted: pending
"""


def table(text: str) -> dict[str, set[str]]:
    lines = (line.split(":") for line in text.strip().splitlines())
    return {state.strip(): set(moves.split()) for state, moves in lines}


TABLES: dict[str, tuple[type[StrEnum], dict[str, set[str]]]] = {
    "release": (ReleaseState, table(RELEASE)),
    "phase": (PhaseState, table(PHASE)),
    "activity": (ActivityState, table(ACTIVITY)),
}
PAIRS = [
    pytest.param(what, before, after, after in allowed[before], id=f"{what}: {before} to {after}")
    for what, (enum, allowed) in TABLES.items()
    for before in enum
    for after in enum
]


@pytest.mark.parametrize(("what", "before", "after", "allowed"), PAIRS)
def test_every_move_is_in_the_table_or_refused(what: str, before: str, after: str, allowed: bool) -> None:
    if allowed:
        check_move(what, before, after)
        return
    with pytest.raises(IllegalMove, match=f"A {what} cannot go from {before} to {after}"):
        check_move(what, before, after)


@pytest.mark.parametrize("what", TABLES)
def test_the_tables_name_every_state(what: str) -> None:
    enum, allowed = TABLES[what]
    assert set(allowed) == {str(state) for state in enum}


@pytest.mark.parametrize(("what", "before", "after"), [("phase", "waiting", "running"), ("release", "running", "lost")])
def test_a_state_of_another_table_is_refused(what: str, before: str, after: str) -> None:
    with pytest.raises(IllegalMove):
        check_move(what, before, after)


@pytest.mark.parametrize("enum", [ReleaseState, PhaseState, ActivityState])
def test_every_state_says_what_it_means(enum: type[StrEnum]) -> None:
    """A docstring under each member, since people look a state up there."""
    body = ast.parse(inspect.getsource(enum)).body[0]
    assert isinstance(body, ast.ClassDef)
    said = {}
    for statement, following in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(statement, ast.Assign):
            name = statement.targets[0]
            assert isinstance(name, ast.Name)
            text = following.value if isinstance(following, ast.Expr) else None
            said[name.id] = isinstance(text, ast.Constant) and len(str(text.value)) > 15
    assert said == {state.name: True for state in enum}


def test_nothing_leaves_a_settled_release() -> None:
    assert {state for state, moves in states.RELEASE_MOVES.items() if not moves} == states.RELEASE_SETTLED


def test_a_settled_run_only_goes_back_to_pending() -> None:
    """Restarting a phase is the one way back."""
    phases = {state for state, moves in states.PHASE_MOVES.items() if moves == {PhaseState.PENDING}}
    activities = {state for state, moves in states.ACTIVITY_MOVES.items() if moves == {ActivityState.PENDING}}
    assert phases == states.PHASE_SETTLED
    assert activities == states.ACTIVITY_SETTLED


def test_everything_unsettled_can_be_aborted() -> None:
    for state in ActivityState:
        assert (ActivityState.ABORTED in states.ACTIVITY_MOVES[state]) == (state not in states.ACTIVITY_SETTLED)
    for phase in PhaseState:
        assert (PhaseState.ABORTED in states.PHASE_MOVES[phase]) == (phase not in states.PHASE_SETTLED)


def test_an_activity_is_pending_active_or_settled() -> None:
    assert set(ActivityState) == {ActivityState.PENDING} | states.ACTIVE | states.ACTIVITY_SETTLED
    assert not states.ACTIVE & states.ACTIVITY_SETTLED


def test_the_settled_states_of_runs_are_those_of_phases_and_activities() -> None:
    assert {str(s) for s in states.PHASE_SETTLED | states.ACTIVITY_SETTLED} == states.SETTLED


def test_what_is_done_for_a_dependent_is_settled_and_none_of_it_failed() -> None:
    assert {"succeeded", "partially_succeeded", "ignored", "skipped"} == states.DONE
    assert states.DONE < states.SETTLED
