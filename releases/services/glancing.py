"""Everything a start asks of the database before it decides, in one statement that also holds the release's row."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from releases.execution import rows
from releases.trees import STAMP, Stamp

#: For the release `r`: is any freeze open, does a debt of its group (or, ad hoc, its process) stand, is any resource
#: exclusive, has it booked anything; then the stamp of the tree it would start with.
_GLANCE = f"""
    SELECT r.state, r.started_at, r.edits,
           {rows.IS_FROZEN},
           EXISTS (SELECT 1 FROM releases_breakglass b JOIN releases_release o ON o.id = b.release_id
                    WHERE b.signed_at IS NULL AND o.id <> r.id AND o.group_id IS NOT DISTINCT FROM r.group_id
                      AND (r.group_id IS NOT NULL OR o.process_id = r.process_id)),
           EXISTS (SELECT 1 FROM processes_resource WHERE exclusive),
           EXISTS (SELECT 1 FROM releases_booking WHERE release_id = r.id),
           {STAMP}
      FROM releases_release r WHERE r.id = %(release)s"""  # noqa: S608 - our own text alone""
_HOLD = _GLANCE + " FOR NO KEY UPDATE OF r"
_HOLD_NOW = _HOLD + " SKIP LOCKED"


class Glance(NamedTuple):
    """What was seen; `revision` is None if nothing is published."""

    state: str
    started_at: datetime | None
    edits: int
    is_frozen: bool
    owes: bool
    is_exclusive: bool
    has_booked: bool
    revision: int | None
    newest_revision: int | None
    newest_activity: int

    @property
    def stamp(self) -> Stamp | None:
        """What the tree of the release is known by."""
        if self.revision is None or self.newest_revision is None:
            return None
        return self.revision, self.newest_revision, self.newest_activity


def glance(release_id: int, *, now: datetime) -> Glance:
    """Return what there is to see of a release."""
    return _ask(_GLANCE, release_id, now)[0]


def hold(release_id: int, *, now: datetime) -> Glance:
    """The same, and the release's row stays locked until the transaction ends.

    Whoever has to wait for the row looks once more when it is theirs: much may have happened meanwhile.
    """
    if at_once := _ask(_HOLD_NOW, release_id, now):
        return at_once[0]
    _ask(_HOLD, release_id, now)
    return glance(release_id, now=now)


def _ask(statement: str, release_id: int, now: datetime) -> list[Glance]:
    return [Glance(*row) for row in rows.fetch(statement, {"release": release_id, "now": now})]
