"""What commands about dates share: the things a person names on the command line, and changes as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from config.errors import Fault, InvalidInput, NotFound
from config.trail import Actor
from processes.schema_formats import FORMATS, is_moment
from releases import policy
from releases.models import Release, ReleaseGroup
from releases.reading.freezes import visible_groups
from releases.services.trains import Change, seen_of


def group_named(actor: Actor, slug: str) -> ReleaseGroup:
    """Return a release group `actor` may know. Raises NotFound."""
    found = visible_groups(actor).select_related("process", "input_set").filter(slug=slug).first()
    if found is None:
        raise NotFound(f"There is no release group '{slug}', or you may not see it.")
    return found


def release_named(actor: Actor, number: int) -> Release:
    """Return a release `actor` may see. Raises NotFound."""
    seen = policy.visible_releases(actor).select_related("process", "group", "input_set")
    found = seen.filter(pk=number).first()
    if found is None:
        raise NotFound(f"There is no release {number}, or you may not see it.")
    return found


def moment_named(text: str, place: str) -> datetime:
    """Return a moment written with its offset. Raises InvalidInput with a fault at `place`."""
    if not is_moment(text):
        raise InvalidInput([Fault(place, "This is no moment.", "Write it like 2026-01-08T09:00+01:00.")])
    return datetime.fromisoformat(text)


def zone_named(name: str) -> ZoneInfo:
    """Return a time zone. Raises InvalidInput."""
    if not FORMATS.conforms(name, "zone"):
        raise InvalidInput([Fault("zone", f"'{name}' is not a time zone.", "Write it like Europe/Berlin.")])
    return ZoneInfo(name)


def utc(moment: datetime | None) -> str:
    """Return a moment in UTC as people read it; a dash for none."""
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def lines_of(changes: Iterable[Change]) -> Iterator[str]:
    """Return a line for each change of a plan."""
    seen, more = seen_of(changes)
    for change in seen:
        number = "" if change.release_id is None else f"R-{change.release_id} "
        is_moved = change.before is not None and change.after is not None and change.before != change.after
        when = f"{utc(change.before)} -> {utc(change.after)}" if is_moved else utc(change.after or change.before)
        yield f"{change.kind:8} {number}{change.name}: {when}"
    if more:
        yield f"{more} more that you may not see"
