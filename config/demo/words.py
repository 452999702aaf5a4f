"""A release's tree, as the API gives it, in lines for a terminal. No terminal here: values in, text out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SYMBOLS = {
    "pending": "○",
    "queued": "○",
    "running": "●",
    "waiting": "◆",
    "succeeded": "✓",
    "partially_succeeded": "✓",
    "ignored": "~",
    "skipped": "-",
    "on_hold": "‖",
    "failed": "✗",
    "aborted": "■",
}
COLOURS = {
    "running": "36",
    "waiting": "33",
    "on_hold": "33",
    "succeeded": "32",
    "partially_succeeded": "32",
    "failed": "31",
    "aborted": "31",
}
IDLE = frozenset({"pending", "queued"})
PLAIN = IDLE | {"running", "succeeded"}
SETTLED = frozenset({"succeeded", "partially_succeeded", "ignored", "skipped", "failed", "aborted"})
Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A phase or activity of a release; `place` names it after whatever holds it, the outermost first."""

    key: tuple[str, int]
    place: tuple[str, ...]
    kind: str
    state: str
    since: datetime | None
    until: datetime | None
    error: str
    within: tuple[Row, ...] = field(default=())

    @property
    def name(self) -> str:
        """The name without that of its holders."""
        return self.place[-1]

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state in SETTLED

    def seconds(self, now: datetime) -> float | None:
        """How long it took, or has taken so far; None before it has begun, and for what never did."""
        if self.since is None or self.state in IDLE:
            return None
        return max(0.0, ((self.until or now) - self.since).total_seconds())


def rows_of(tree: Tree) -> list[Row]:
    """Return the phases of a release, each with its activities, and those of subprocesses, within."""
    return [_phase(phase, ()) for phase in tree["phases"]]


def flat(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield rows and everything within: a holder before what it holds, or after it once it is settled."""
    for row in rows:
        if not row.is_settled:
            yield row
        yield from flat(row.within)
        if row.is_settled:
            yield row


def line_of(row: Row, now: datetime, told: Sequence[str] = ()) -> str:
    """Return `✓ Accept  0.9 s  sam approved`: sign, name, how long, the state if its sign is not enough, what for."""
    took = row.seconds(now)
    parts = [f"{SYMBOLS.get(row.state, '?')} {row.name}"]
    parts += [] if took is None else [f"{took:.1f} s"]
    parts += [state_in_words(row)] if row.state not in PLAIN else []
    parts += [", ".join(told)] if told else []
    return "  ".join([*parts, row.error] if row.error else parts)


def state_in_words(row: Row) -> str:
    """Return `on hold`, or what a waiting activity waits for."""
    if row.state == "waiting":
        return {"manual": "waits for people", "signal": "waits for a signal"}.get(row.kind, "waits")
    return row.state.replace("_", " ")


def coloured(line: str, state: str) -> str:
    """Return a line of `line_of` with its sign in the colour of the state."""
    sign = SYMBOLS.get(state, "?")
    return line.replace(sign, f"\x1b[{COLOURS[state]}m{sign}\x1b[0m", 1) if state in COLOURS else line


def _phase(phase: Mapping[str, Any], holders: tuple[str, ...]) -> Row:
    place = (*holders, phase["name"])
    return Row(
        key=("phase", phase["id"]),
        place=place,
        kind="phase",
        state=phase["state"],
        since=_moment(phase["started_at"]),
        until=_moment(phase["finished_at"]),
        error=phase["error"],
        within=tuple(_activity(activity, place) for activity in phase["activities"]),
    )


def _activity(activity: Mapping[str, Any], holders: tuple[str, ...]) -> Row:
    place = (*holders, activity["name"])
    return Row(
        key=("activity", activity["id"]),
        place=place,
        kind=activity["kind"],
        state=activity["state"],
        since=_moment(activity["opened_at"] or activity["started_at"]),
        until=_moment(activity["finished_at"]),
        error=activity["error"],
        within=(
            *(_phase(phase, place) for phase in activity["phases"]),
            *(_activity(item, place) for item in activity["items"]),
        ),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
