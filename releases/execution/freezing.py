"""Whether a freeze keeps an activity that is about to open from doing so (product, section 4).

1. Only leaves are kept, judged by the inputs they would open with; what holds them opens and waits with them. A
   release that broke the glass is kept only by what began after that.
2. A freeze that drains lets a release go on that ran before it began; one that holds does not.
3. A person's retry is refused while a freeze applies to it with what it changes; tries that follow by themselves
   belong to what already runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from config.errors import Conflict, ExpressionFailed, InvalidInput
from releases import freezes
from releases.execution import rows
from releases.execution.locked import Locked, Run
from releases.freezes import Applies, Block
from releases.models import BreakGlass, Release
from releases.scopes import Subject, subject_of_activity

#: What is held is looked at again after this long at the latest: whoever lifts a freeze while it is being held may not
#: see it.
LONGEST = timedelta(minutes=5)
#: Resolves the inputs that a leaf opens with; asked only when a freeze may concern it.
Resolve = Callable[[], Mapping[str, Any]]


def keep(locked: Locked, run: Run, resolve: Resolve) -> bool:
    """Keep a pending activity from opening if it is frozen; return whether it is."""
    block = frozen_by(locked, run, resolve)
    if block is None:
        return False
    until = None if block.ends_at is None else block.ends_at.isoformat()
    why = {"kind": "freeze", "freeze": block.slug, "name": block.name, "until": until}
    again = locked.now + LONGEST
    locked.hold(run, again if block.ends_at is None else min(again, block.ends_at), why)
    return True


def require_thawed(locked: Locked, run: Run, resolve: Resolve) -> None:
    """Raise Conflict (`frozen`) if a freeze keeps an activity from being tried again.

    One whose inputs cannot be resolved passes: it fails again before it does anything.
    """
    try:
        block = frozen_by(locked, run, resolve)
    except (ExpressionFailed, InvalidInput):
        return
    if block is not None:
        until = f" until {block.ends_at:%Y-%m-%d %H:%M} UTC" if block.ends_at is not None else ""
        raise Conflict(f"The freeze '{block.name}' applies{until}. Ask for an exception.", code="frozen")


def frozen_by(locked: Locked, run: Run, resolve: Resolve) -> Block | None:
    """Return the freeze that keeps a leaf from opening, the one that ends last; no query while no freeze is open."""
    if not locked.is_frozen or run.node.is_container:
        return None
    windows = [window for window in freezes.open_windows(locked.now) if _applies(locked, window)]
    if not windows:
        return None
    broken_at = BreakGlass.objects.filter(release_id=locked.id).values_list("at", flat=True).first()
    windows = [window for window in windows if broken_at is None or window.block.starts_at > broken_at]
    if not windows:
        return None
    release = Release.objects.select_related("group").defer("inputs", "values").get(pk=locked.id)
    subject = _subject(locked, run, release, resolve())
    found = freezes.blocks_of(windows, subject, at=locked.now, release=release)
    return next((block for block in reversed(found) if block.starts_at <= locked.now), None)


def _applies(locked: Locked, window: Applies) -> bool:
    """Return whether a freeze concerns what is under way: one that drains leaves alone what ran before it."""
    return window.block.in_flight == freezes.HOLD or locked.facts["started_at"] >= window.block.starts_at


def _subject(locked: Locked, run: Run, release: Release, own: Mapping[str, Any]) -> Subject:
    kinds, known = freezes.kinds_of_resources(), {"release": locked.facts, "now": locked.now}
    inputs = locked.facts["inputs"]
    whole = freezes.subject_of(release, locked.tree.nodes[0].doc, inputs, kinds=kinds, known=known)
    resolved = {0: inputs, **_inputs_around(locked, run), run.key.node: own}
    return subject_of_activity(locked.tree, run.key.node, release=whole, inputs=resolved, kinds=kinds, known=known)


def _inputs_around(locked: Locked, run: Run) -> dict[int, Mapping[str, Any]]:
    """Return the inputs of the open phases and subprocesses that a run lies in, by node."""
    found: dict[int, Mapping[str, Any]] = {}
    here = locked.tree.parent(run.key)
    while here is not None and here.node != 0:
        locked.write_before_reading([here])
        table = "releases_phaserun" if locked.tree[here].is_phase else "releases_activityrun"
        sql = f"SELECT inputs FROM {table} WHERE release_id = %s AND node = %s AND items = %s"  # noqa: S608
        for (inputs,) in rows.fetch(sql, [locked.id, here.node, here.items]):
            found[here.node] = rows.decoded(inputs)
        here = locked.tree.parent(here)
    return found
