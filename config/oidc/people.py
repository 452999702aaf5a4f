"""Who somebody is here, after the provider has said who they are there.

An account belongs to a subject of the issuer, never to a name. What the provider named at one sign-in and does not
name at the next is taken away; memberships that it never named are not its business.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from config.oidc.failures import SignInFailed
from config.trail import MACHINE, record

LONGEST_SUBJECT = 191
LONGEST_NAME = 150


@dataclass(frozen=True, slots=True)
class Claims:
    """What the provider says about a person; `groups` are names."""

    subject: str
    name: str = ""
    email: str = ""
    is_verified: bool = False
    given: str = ""
    family: str = ""
    groups: frozenset[str] = frozenset()


def read_claims(said: dict[str, Any]) -> Claims:
    """Return what matters of what the provider said. Raises SignInFailed if it does not say who it is."""
    subject = said.get("sub")
    if not isinstance(subject, str) or not subject.isprintable() or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise SignInFailed("answer", f"The subject is not usable: {subject!r:.300}")
    groups = said.get(settings.OIDC_GROUPS_CLAIM)
    listed = groups if isinstance(groups, list) else [groups]
    return Claims(
        subject,
        name=_text(said, "preferred_username"),
        email=_address(_text(said, "email")),
        is_verified=said.get("email_verified") in (True, "true"),
        given=_text(said, "given_name"),
        family=_text(said, "family_name"),
        groups=frozenset(name for name in listed if isinstance(name, str) and 0 < len(name) <= LONGEST_NAME),
    )


def admit(claims: Claims, *, now: datetime) -> User:
    """Return the account of whoever the provider speaks of, its groups put right; the first time it is made.

    Raises SignInFailed for somebody whose account is closed.
    """
    try:
        return _admit(claims, now)
    except IntegrityError:  # somebody of this subject or name was admitted at the same moment
        return _admit(claims, now)


@transaction.atomic
def _admit(claims: Claims, now: datetime) -> User:
    own = SocialAccount.objects.filter(provider=settings.OIDC_ISSUER, uid=claims.subject)
    account = own.select_for_update(of=("self",)).select_related("user").first() or _new_account(claims, now)
    person: User = account.user
    if not person.is_active:
        raise SignInFailed("closed", f"{person} is not active.")
    before = frozenset(account.extra_data.get("groups", ()))
    _put_groups_right(person, before, claims.groups, now)
    _put_rights_right(person, before, claims.groups, now)
    account.extra_data = {"groups": sorted(claims.groups)}
    account.save()
    return person


def _new_account(claims: Claims, now: datetime) -> SocialAccount:
    person = _known_by_address(claims)
    if person is None:
        name = next(name for name in _names(claims) if not User.objects.filter(username__iexact=name).exists())
        given, family = claims.given[:LONGEST_NAME], claims.family[:LONGEST_NAME]
        person = User.objects.create_user(name, claims.email, first_name=given, last_name=family)
        record(None, "user.created", person, after={"issuer": settings.OIDC_ISSUER}, now=now)
    else:
        record(None, "user.linked", person, after={"issuer": settings.OIDC_ISSUER}, now=now)
    return SocialAccount(user=person, provider=settings.OIDC_ISSUER, uid=claims.subject, extra_data={})


def _known_by_address(claims: Claims) -> User | None:
    """Return the account that has the person's verified address, if that is to be trusted and only one has it.

    Raises SignInFailed where a closed account has the address: nobody comes back by another door.
    """
    found = list(User.objects.filter(email__iexact=claims.email)) if claims.email else []
    if any(not one.is_active for one in found):
        raise SignInFailed("closed", f"A closed account has the address of {claims.subject}.")
    if not (settings.OIDC_TRUST_EMAIL and claims.is_verified and len(found) == 1):
        return None
    is_taken = SocialAccount.objects.filter(user=found[0], provider=settings.OIDC_ISSUER).exists()
    return None if is_taken else found[0]


def _names(claims: Claims) -> Iterator[str]:
    """Yield the names that the person could have here: as there, then with a number."""
    wanted = claims.name or claims.email.partition("@")[0]
    name = re.sub(r"[^\w.@+-]+", "-", unicodedata.normalize("NFKC", wanted)).strip("-")[:140] or "person"
    if name.casefold() != MACHINE:
        yield name
    for number in count(2):
        yield f"{name}-{number}"


def leave_groups(person: User, named: frozenset[str], *, now: datetime) -> None:
    """Take from a person the groups and rights that the provider gave by naming these groups."""
    _put_groups_right(person, named, frozenset(), now)
    _put_rights_right(person, named, frozenset(), now)


def _put_groups_right(person: User, before: frozenset[str], named: frozenset[str], now: datetime) -> None:
    held = {group.name: group for group in person.groups.filter(name__in=before | named)}
    new = list(Group.objects.filter(name__in=named).exclude(name__in=held).order_by("name"))
    gone = [held[name] for name in sorted(before - named) if name in held]
    if new or gone:
        person.groups.add(*new)
        person.groups.remove(*gone)
        changed = {"joined": [str(group) for group in new], "left": [str(group) for group in gone]}
        record(None, "user.changed", person, after=changed, now=now)


def _put_rights_right(person: User, before: frozenset[str], named: frozenset[str], now: datetime) -> None:
    admins = settings.OIDC_ADMIN_GROUP
    is_admin = admins in named
    if not admins or admins not in before | named or person.is_superuser is person.is_staff is is_admin:
        return
    person.is_superuser = person.is_staff = is_admin
    person.save(update_fields=["is_superuser", "is_staff"])
    record(None, "user.changed", person, after={"is_superuser": is_admin, "is_staff": is_admin}, now=now)


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    return value.strip() if isinstance(value, str) and value.isprintable() else ""


def _address(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError:
        return ""
    return User.objects.normalize_email(text) if len(text) <= 254 else ""
