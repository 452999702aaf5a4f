"""Looking again at what was kept from opening: by its own `opens`, or by a freeze (product, section 4).

1. A run whose `opens` lies ahead is held from the moment its row is made; a leaf in the scope of a freeze when it is
   about to open. The engine opens nothing that is held.
2. `held_until` is when to look again. The tick finds it; whoever lifts a freeze or grants an exception sets it to now.
3. Looking again takes the holds off, except of what opens later, and lets the engine decide. What is still frozen is
   held once more, without another event.
"""

from __future__ import annotations

from datetime import datetime

from releases.execution import rows
from releases.execution.advance import advance
from releases.execution.locked import lock_release
from releases.tree import Key

_HELD = """
    SELECT node, items, opens_at, held_by FROM releases_phaserun
     WHERE release_id = %(release)s AND held_until IS NOT NULL
     UNION ALL
    SELECT node, items, opens_at, held_by FROM releases_activityrun
     WHERE release_id = %(release)s AND held_until IS NOT NULL"""


def look_at_held(release_id: int, *, now: datetime) -> None:
    """Let whatever is kept from opening in a release open, as far as it may by now."""
    with lock_release(release_id, now=now) as locked:
        found = rows.fetch(_HELD, {"release": release_id})
        locked.load(Key(node, items) for node, items, *_ in found)
        freed = []
        for node, items, opens_at, held_by in found:
            run = locked.runs[Key(node, items)]
            if opens_at is not None and opens_at > now:
                locked.change(run, held_until=opens_at)
                continue
            locked.release_hold(run, rows.decoded(held_by))
            freed.append(run.key)
        advance(locked, freed)
