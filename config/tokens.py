"""Keys to the REST API: only the SHA-256 digest is kept, so a key is shown once, when it is made."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from config.errors import Fault, InvalidInput
from config.models import ApiToken
from config.trail import record

SCOPES = ("read", "write")
MARK = "ph_"
#: How often the time of last use is written at most.
PRECISION = timedelta(minutes=1)


@transaction.atomic
def create_token(
    user: User, *, name: str, scopes: Collection[str], now: datetime, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a token for `user`; return it with its key, which nobody can read again.

    `write` includes `read`. Raises InvalidInput for an unknown scope, none at all, or an expiry that has passed.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    faults = [Fault("scopes", f"There is no scope '{scope}'.", "Use read or write.") for scope in unknown]
    if not scopes:
        faults.append(Fault("scopes", "A token needs a scope.", "Use read or write."))
    if expires_at is not None and expires_at <= now:
        faults.append(Fault("expires_at", "This moment has passed."))
    if faults:
        raise InvalidInput(faults)
    key = MARK + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        prefix=key[:10],
        digest=digest_of(key),
        scopes=[scope for scope in SCOPES if scope in scopes],
        created_at=now,
        expires_at=expires_at,
    )
    record(user, "token.created", token, after={"scopes": token.scopes}, now=now)
    return token, key


@transaction.atomic
def revoke_token(user: User, token: ApiToken, *, now: datetime) -> None:
    """Make a token useless from now on; the trail says whose it was."""
    record(user, "token.revoked", token, before={"user": token.user.get_username()}, now=now)
    token.delete()


def find_token(key: str, *, now: datetime) -> ApiToken | None:
    """Return the token whose key this is, if it and its user are still good; note that it was used."""
    good = Q(expires_at=None) | Q(expires_at__gt=now)
    token = ApiToken.objects.select_related("user").filter(good, digest=digest_of(key), user__is_active=True).first()
    if token is not None and (token.last_used_at is None or token.last_used_at <= now - PRECISION):
        unnoted = Q(last_used_at=None) | Q(last_used_at__lte=now - PRECISION)
        ApiToken.objects.filter(unnoted, pk=token.pk).update(last_used_at=now)
    return token


def digest_of(key: str) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()
