"""Secret addresses that show a calendar to calendar programs: made, looked up, revoked.

Only the SHA-256 digest of a secret is kept, so an address is shown once, when it is made.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from config.errors import Conflict, Fault, InvalidInput, NotFound
from config.permissions import visible_by_any
from config.trail import Actor, record
from releases.models import Feed, ReleaseGroup
from releases.services.given import text_faults

MOST = 50
SECRET_BYTES = 32
#: How often the time of last use is written at most.
PRECISION = timedelta(minutes=1)
_SEEN_BY = [f"releases.{verb}_releasegroup" for verb in ("view", "operate")]


def visible_groups(actor: Actor) -> QuerySet[ReleaseGroup]:
    """Return the groups that `actor` may subscribe to: those whose releases they may see."""
    return visible_by_any(actor, _SEEN_BY, ReleaseGroup.objects.all())


@transaction.atomic
def create_feed(
    actor: User, *, kind: str, now: datetime, name: str = "", group: ReleaseGroup | None = None
) -> tuple[Feed, str]:
    """Make a feed of the actor's own; return it with its secret, which nobody can read again.

    `kind` is `all` (whatever its owner may see), `mine` (what concerns its owner) or `group`, with the group. Raises
    InvalidInput with every fault, or Conflict (`too_many`) when the actor has MOST feeds.
    """
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)
    faults = [*text_faults("name", name, most=200), *_kind_faults(actor, kind, group)]
    if faults:
        raise InvalidInput(faults)
    if feeds_of(actor).count() >= MOST:
        raise Conflict(f"You have {MOST} feeds. Revoke one that you do not use first.", code="too_many")
    secret = secrets.token_urlsafe(SECRET_BYTES)
    feed = Feed.objects.create(
        owner=actor,
        name=name.strip() or _named(kind, group),
        kind=kind,
        group=group,
        digest=digest_of(secret),
        created_at=now,
    )
    record(actor, "feed.created", feed, after={"kind": kind, "group": group.slug if group else None}, now=now)
    return feed, secret


def feeds_of(owner: User) -> QuerySet[Feed]:
    """Return a person's feeds that still work, the newest first."""
    return Feed.objects.filter(owner=owner, revoked_at=None).select_related("group")


@transaction.atomic
def revoke_feed(actor: User, feed: Feed, *, now: datetime) -> Feed:
    """Make a feed's address useless for good; a second time changes nothing.

    Its owner may, and a superuser; for anybody else there is no such feed (NotFound).
    """
    locked = Feed.objects.select_for_update(no_key=True).get(pk=feed.pk)
    if locked.owner_id != actor.pk and not (actor.is_active and actor.is_superuser):
        raise NotFound
    if locked.revoked_at is None:
        locked.revoked_at = now
        locked.save(update_fields=["revoked_at"])
        record(actor, "feed.revoked", locked, now=now)
    return locked


def find_feed(secret: str, *, now: datetime) -> Feed | None:
    """Return the feed whose secret this is, if it and its owner are still good; note that it was used."""
    found = Feed.objects.select_related("owner").filter(owner__is_active=True, revoked_at=None)
    feed = found.filter(digest=digest_of(secret)).first()
    if feed is not None and (feed.last_used_at is None or feed.last_used_at <= now - PRECISION):
        unnoted = Q(last_used_at=None) | Q(last_used_at__lte=now - PRECISION)
        Feed.objects.filter(unnoted, pk=feed.pk).update(last_used_at=now)
    return feed


def digest_of(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _kind_faults(actor: User, kind: str, group: ReleaseGroup | None) -> list[Fault]:
    if kind not in Feed.Kind.values:
        return [Fault("kind", f"There is no kind '{kind[:40]}'.", f"Use {', '.join(Feed.Kind.values)}.")]
    if kind != Feed.Kind.GROUP:
        return (
            [] if group is None else [Fault("group", "Only a feed of the kind 'group' has a group.", "Leave it out.")]
        )
    if group is None:
        return [Fault("group", "Choose the group whose releases it shows.")]
    if not visible_groups(actor).filter(pk=group.pk).exists():
        return [Fault("group", f"There is no release group '{group.slug}' that you may see.")]
    return []


def _named(kind: str, group: ReleaseGroup | None) -> str:
    if group is not None:
        return group.name
    return "My releases" if kind == Feed.Kind.MINE else "All releases"
