"""A release in memory, carried out as `releases/execution` does it, but with nothing behind it.

It gives the engine only what `reads` asked for (anything else raises NotAsked), and takes every move through
`states.check_move`. Its verbs are what workers and people do; each ends in a fixpoint of the engine's plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from releases import engine, states
from releases.engine import OPEN, Known, Move, Picture, Reads, Tally
from releases.states import SETTLED
from releases.tree import ROOT, Key
from tests.pure.trees import Drawing

T = TypeVar("T")


class NotAsked(AssertionError):
    """The engine looked at something that `reads` had not named."""


class Asked(Mapping[Key, T], Generic[T]):
    """What was asked for; a name that was asked for and does not exist is merely missing."""

    def __init__(self, everything: Mapping[Key, T], asked: set[Key]) -> None:
        self._everything, self._asked = everything, asked

    def __getitem__(self, key: Key) -> T:
        if key not in self._asked:
            raise NotAsked(key)
        return self._everything[key]

    def __iter__(self) -> Iterator[Key]:
        raise NotAsked("everything")

    def __len__(self) -> int:
        raise NotAsked("everything")


@dataclass
class Run:
    """One row."""

    state: str = "pending"
    opened: bool = False
    count: int = 0
    partial: bool = False
    tries: int = 0

    @property
    def known(self) -> Known:
        """What the engine may know of it."""
        return Known(self.state, self.opened, self.count, self.partial)


@dataclass(frozen=True)
class Opening:
    """What comes of a run's condition and inputs; `items` is None where the drawing says how many there are."""

    when: bool = True
    fails: bool = False
    items: int | None = None


class Simulator:
    """One release. `opening` says what comes of a run's condition and inputs, `before_opening` hears what will open."""

    def __init__(self, drawing: Drawing, opening: Callable[[Key], Opening] = lambda _: Opening()) -> None:
        self.drawing, self.tree, self.opening = drawing, drawing.tree, opening
        self.before_opening: Callable[[list[Key]], None] = lambda _: None
        self.state = "running"
        self.runs: dict[Key, Run] = {ROOT: Run("running", opened=True)}
        self.rows_in: dict[Key, list[Key]] = {}
        self.asked: list[Reads] = []
        self.moved: list[tuple[Key, str]] = []
        self.skipped: set[Key] = set()
        self.unopenable: set[Key] = set()
        self.left: set[Key] = set()
        self.unplanned: list[Key] = []
        self.delivers = True
        self._plant([Key(node.ordinal) for node in self.tree.nodes if node.depth == 0 and node.ordinal])

    # Looking ----------------------------------------------------------------------------------------------------------
    def __getitem__(self, path: str) -> str:
        return self.runs[self.drawing.key(path)].state

    def states(self, *paths: str) -> list[str]:
        """Return the states at these paths."""
        return [self[path] for path in paths]

    def active(self) -> list[Key]:
        """Return the leaves, and the containers on hold, that somebody can do something about."""
        idle = {*SETTLED, "pending"}
        return [
            key
            for key, run in self.runs.items()
            if run.state not in idle and (run.state == "on_hold" or not self.tree[key].is_container)
        ]

    def known(self) -> dict[Key, Known]:
        """Return what is known of every run."""
        return {key: run.known for key, run in self.runs.items()}

    def tally(self, key: Key) -> Tally:
        """Return how everything directly inside a container stands."""
        grades = [
            engine.grade(self.runs[row].state, self.tree[row].required, self.runs[row].partial)
            for row in self.rows_in.get(key, [])
        ]
        return Tally(*map(sum, zip(*grades, strict=True))) if grades else Tally()

    # The machine ------------------------------------------------------------------------------------------------------
    def start(self) -> Simulator:
        """Open what may open."""
        self.advance([ROOT])
        return self

    def advance(self, touched: Iterable[Key]) -> None:
        """Carry out what follows from `touched` until nothing does; or forget it, if nothing is delivered just now."""
        waiting = list(touched)
        if not self.delivers:
            return
        while waiting:
            moves = self.plan(waiting)
            self.before_opening([move.key for move in moves if move.to == OPEN])
            for move in moves:
                self._carry_out(move)
            waiting = [move.key for move in moves]

    def plan(self, touched: Iterable[Key]) -> list[Move]:
        """Return the engine's moves, giving it only what it asks for."""
        touched = list(touched)
        known = self.known()
        wanted = engine.reads(self.tree, known, touched)
        self.asked.append(wanted)
        below = {run for key in wanted.families for run in engine.family(self.tree, known, key)}
        tallies = {key: self.tally(key) for key in wanted.tallies}
        picture = Picture(
            self.tree,
            Asked(known, {*touched, *wanted.runs, *wanted.families, *below}),
            Asked(tallies, wanted.tallies),
            starts=self.state == "running",
        )
        moves = engine.plan(picture, touched)
        assert len({move.key for move in moves}) == len(moves), "two moves for one run"
        return moves

    def plan_everything(self) -> list[Move]:
        """Return what planning over every run would do now."""
        return self.plan(list(self.runs))

    def _carry_out(self, move: Move) -> None:
        if move.to == OPEN:
            self._open(move.key)
        else:
            self.move(move.key, move.to, partial=move.partial)

    def move(self, key: Key, to: str, *, partial: bool = False) -> None:
        """Change a state, if the table of moves allows it."""
        run = self.runs[key]
        node = self.tree[key]
        what = "release" if key == ROOT else "phase" if node.is_phase else "activity"
        states.check_move(what, self.state if key == ROOT else run.state, to)
        run.state, run.partial = to, partial
        self.moved.append((key, to))
        if key == ROOT:
            self.state = to

    def _open(self, key: Key) -> None:
        run, opening = self.runs[key], self.opening(key)
        if run.state == "pending" and not opening.when:
            self.skipped.add(key)
            self.move(key, "skipped")
            return
        if opening.fails:
            self.unopenable.add(key)
            self._fail(key)
            return
        self.skipped.discard(key)
        self.unopenable.discard(key)
        run.opened, run.tries = True, 1
        kind = self.tree[key].kind
        if kind == "for_each":
            self._make_items(key, opening)
        to = {"automated": "queued", "manual": "waiting", "signal": "waiting", "wait": "waiting"}.get(kind, "running")
        if run.state != to:
            self.move(key, to)

    def _make_items(self, key: Key, opening: Opening) -> None:
        count = self.tree[key].doc["spec"]["items"] if opening.items is None else opening.items
        self.runs[key].count = count
        made = self.rows_in.get(key, [])
        for run in self._with_insides(made[count:]):
            if self.runs[run].state not in SETTLED:
                self.move(run, "skipped")
        self._put_back(run for run in self._with_insides(made[:count]) if self.runs[run].state != "pending")
        for item in self.tree.children(key, count)[len(made) :]:
            depth = self.tree[item].depth
            below = [Key(o, item.items) for o in self.tree.below(item.node) if self.tree.nodes[o].depth == depth]
            self._plant([item, *below])

    def _with_insides(self, keys: Iterable[Key]) -> list[Key]:
        return [run for key in keys for run in (key, *engine.family(self.tree, self.known(), key))]

    def _plant(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.runs[key] = Run()
            parent = self.tree.parent(key)
            assert parent is not None
            self.rows_in.setdefault(parent, []).append(key)

    def _fail(self, key: Key) -> None:
        node = self.tree[key]
        self.move(key, "failed" if node.is_phase else engine.failure_state(node.on_failure))

    def _at(self, where: str | Key, *expected: str) -> Key:
        key = self.drawing.key(where) if isinstance(where, str) else where
        assert self.state in ("running", "paused"), f"the release is {self.state}"
        if expected:
            assert self.runs[key].state in expected, f"{where} is {self.runs[key].state}"
        return key

    # What workers, pipelines and signals do ---------------------------------------------------------------------------
    def claim(self, where: str | Key) -> None:
        """A worker takes what is queued."""
        self.move(self._at(where, "queued"), "running")

    def succeed(self, *places: str | Key) -> None:
        """Activities under way end well."""
        for where in places:
            key = self._at(where, "queued", "running", "waiting")
            self.move(key, "succeeded")
            self.advance([key])

    def fail(self, where: str | Key) -> None:
        """An attempt fails: it is tried again if its policy says so, else `on_failure` decides."""
        key = self._at(where, "queued", "running", "waiting")
        run = self.runs[key]
        again = engine.retry_delay(self.tree[key].doc["retry"], run.tries) is not None and run.state != "waiting"
        if not again:
            self._fail(key)
        elif run.state == "running":
            self.move(key, "queued")
        run.tries += again
        self.advance([key])

    # What people do ---------------------------------------------------------------------------------------------------
    def retry(self, where: str | Key) -> bool:
        """Try what is on hold again, a container from its beginning; tell whether that was allowed."""
        key = self._at(where, "on_hold")
        if self.tree[key].is_container:
            if engine.stopping(self.tree, self.known(), [key]):
                return False
            self._put_back(k for k in engine.family(self.tree, self.known(), key) if self.runs[k].state != "pending")
        self.move(key, "queued")
        self._open(key)
        self.advance([key])
        return True

    def ignore(self, where: str | Key) -> None:
        """Wave what is on hold through."""
        key = self._at(where, "on_hold")
        self.move(key, "ignored")
        self.advance([key])

    def give_up(self, where: str | Key) -> None:
        """Let what is on hold fail for good."""
        key = self._at(where, "on_hold")
        self.move(key, "failed")
        self.advance([key])

    def restart(self, where: str | Key) -> list[str]:
        """Run a phase once more; return what forbids it."""
        key = self._at(where)
        holder = self.tree.parent(key)
        while holder is not None:
            if self.runs[holder].state != "running":
                return [self.drawing.path(holder)]
            holder = self.tree.parent(holder)
        back, forbids = engine.restart(self.tree, self.known(), key)
        if forbids:
            return [self.drawing.path(run) for run in forbids]
        self._put_back(back)
        self.left |= {k for k, run in self.runs.items() if not run.opened and run.state in SETTLED and self._ended(k)}
        self.advance([key, *back])
        return []

    def _ended(self, key: Key) -> bool:
        """Whether something around `key` ended, other than by being stopped: what never ran in it stays so."""
        holder = self.tree.parent(key)
        while holder is not None:
            run = self.runs[holder]
            if run.state in SETTLED and run.opened and run.state != "aborted":
                return True
            holder = self.tree.parent(holder)
        return False

    def _put_back(self, keys: Iterable[Key]) -> None:
        for key in list(keys):
            self.move(key, "pending")
            self.runs[key].opened = False
            for kept in (self.skipped, self.unopenable, self.left):
                kept.discard(key)

    def pause(self) -> None:
        """Start nothing new."""
        states.check_move("release", self.state, "paused")
        self.state = "paused"

    def resume(self) -> None:
        """Go on."""
        states.check_move("release", self.state, "running")
        self.state = "running"
        self.advance(list(self.runs))

    def abort(self) -> None:
        """Stop everything for good."""
        for key, run in self.runs.items():
            if run.state not in SETTLED and key != ROOT:
                self.move(key, "aborted")
        self.move(ROOT, "aborted")
