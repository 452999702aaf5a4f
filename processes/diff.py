"""What changed between two documents, for people and for programs.

1. Mappings are compared key by key. Lists whose items have ids are matched by id, other lists as a whole.
2. An activity that left one phase and appears in another under the same id has moved; what else changed in it is told.
3. An item whose place among the others changed has moved: the fewest moves that explain the new order.

Paths use ids: `phases.build.activities.cart.with.version`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from processes.document import dump

SINGULAR = {"phases": "phase", "activities": "activity", "tasks": "task"}
_MISSING = object()

Steps = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: what happened at which path, the values before and after (None when there was none), in words.

    For `moved`, before and after are the paths when the parent changed, else the positions, counted from 1.
    """

    path: str
    kind: Literal["added", "removed", "changed", "moved"]
    before: Any
    after: Any
    words: str


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Every change from the old document to the new one; empty when they are equal."""
    return _with_moves(list(_mappings(old, new, ())))


def shown(changes: Iterable[Change]) -> list[dict[str, str]]:
    """Changes for a page: what happened in words, and both sides as text."""
    return [
        {
            "kind": one.kind,
            "words": one.words,
            "path": one.path,
            "before_text": _as_text(one.before),
            "after_text": _as_text(one.after),
        }
        for one in changes
    ]


def _as_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return dump([value])
    return "\n".join(_as_text(one).rstrip() for one in value) if isinstance(value, list) else str(value)


def _mappings(old: Mapping[str, Any], new: Mapping[str, Any], at: Steps) -> Iterator[Change]:
    for key in [*old, *(key for key in new if key not in old)]:
        yield from _values(old.get(key, _MISSING), new.get(key, _MISSING), (*at, key))


def _values(old: Any, new: Any, at: Steps) -> Iterator[Change]:
    if old is new or (old == new and type(old) is type(new) and not isinstance(old, (dict, list))):
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _mappings(old, new, at)
    elif _has_ids(old) and _has_ids(new):
        yield from _items(old, new, at)
    elif _has_ids(old) and new is _MISSING:
        yield from _items(old, [], at)
    elif old is _MISSING and _has_ids(new):
        yield from _items([], new, at)
    elif old is _MISSING:
        yield _change(at, "added", None, new)
    elif new is _MISSING:
        yield _change(at, "removed", old, None)
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield _change(at, "changed", old, new)


def _items(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], at: Steps) -> Iterator[Change]:
    before, after = {item["id"]: item for item in old}, {item["id"]: item for item in new}
    for key in [*before, *(key for key in after if key not in before)]:
        spot = (*at, key)
        if key not in after:
            yield _change(spot, "removed", before[key], None)
        elif key not in before:
            yield _change(spot, "added", None, after[key])
        else:
            yield from _mappings(before[key], after[key], spot)
    yield from _reordered([key for key in before if key in after], [key for key in after if key in before], at)


def _reordered(old: list[str], new: list[str], at: Steps) -> Iterator[Change]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    stayed = {key for block in matcher.get_matching_blocks() for key in old[block.a : block.a + block.size]}
    for key in new:
        if key not in stayed:
            before, after = old.index(key) + 1, new.index(key) + 1
            words = f"{_subject((*at, key))} moved from position {before} to {after}."
            yield Change(".".join((*at, key)), "moved", before, after, words)


def _with_moves(changes: list[Change]) -> list[Change]:
    """Turns an activity removed from one phase and added to another into a move and the changes inside it."""
    origins: dict[str, Change] = {}
    for there in (change for change in changes if _is_activity(change, "added")):
        left = [one for one in changes if _is_activity(one, "removed") and one.path not in origins]
        same = [one for one in left if one.before["id"] == there.after["id"]]
        if same:
            nearest = min(same, key=lambda one: len(list(_mappings(one.before, there.after, ()))))
            origins[nearest.path] = there
    arrived = {there.path for there in origins.values()}
    told: list[Change] = []
    for change in changes:
        if change.path in origins and change.kind == "removed":
            told += _move(change, origins[change.path])
        elif not (change.path in arrived and change.kind == "added"):
            told.append(change)
    return told


def _move(left: Change, there: Change) -> Iterator[Change]:
    phase, target = left.path.split(".")[1], there.path.split(".")[1]
    words = f"Activity '{left.before['id']}' moved from phase '{phase}' to phase '{target}'."
    yield Change(there.path, "moved", left.path, there.path, words)
    yield from _mappings(left.before, there.after, tuple(there.path.split(".")))


def _is_activity(change: Change, kind: str) -> bool:
    steps = change.path.split(".")
    return change.kind == kind and len(steps) == 4 and steps[0] == "phases" and steps[2] == "activities"


def _change(at: Steps, kind: Literal["added", "removed", "changed"], before: Any, after: Any) -> Change:
    change = Change(".".join(at), kind, before, after, "")
    return replace(change, words=f"{_subject(at)} {_verb(change)}.")


def _verb(change: Change) -> str:
    if change.kind == "added":
        return "was added" if isinstance(change.after, (Mapping, list)) else f"was set to {_shown(change.after)}"
    if change.kind == "removed":
        return "was removed" if isinstance(change.before, (Mapping, list)) else f"was removed ({_shown(change.before)})"
    if isinstance(change.before, list) and isinstance(change.after, list):
        gained = [_shown(item) for item in change.after if item not in change.before]
        lost = [_shown(item) for item in change.before if item not in change.after]
        parts = [f"gained {', '.join(gained)}"] if gained else []
        parts += [f"lost {', '.join(lost)}"] if lost else []
        return " and ".join(parts) or "changed its order"
    return f"changed from {_shown(change.before)} to {_shown(change.after)}"


def _subject(at: Steps) -> str:
    """Where a change is, in words: `Activity 'cart' in phase 'build': with.version`."""
    named: list[str] = []
    rest = list(at)
    while len(rest) >= 2 and rest[0] in SINGULAR:
        named.insert(0, f"{SINGULAR[rest[0]]} '{rest[1]}'")
        rest = rest[2:]
    where = " in ".join(named)
    if not where:
        return f"'{'.'.join(rest)}'"
    where = where[0].upper() + where[1:]
    return f"{where}: '{'.'.join(rest)}'" if rest else where


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return str(value.get("id", "a mapping"))
    if isinstance(value, list):
        return "a list"
    text = str(value)
    return f"'{text if len(text) <= 80 else text[:77] + '...'}'"


def _has_ids(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) and "id" in item for item in value)
