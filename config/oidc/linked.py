"""The provider's accounts that belong to somebody here: seeing them, and parting with one.

Of allauth's own page only the thought is taken, that nobody may shut themselves out: it does not know that an account
of another issuer than the one in the settings opens no door, nor that groups came with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from config.errors import Conflict, NotFound
from config.oidc.people import leave_groups
from config.trail import record

ONLY_WAY = "This is your only way to sign in: have an administrator give you a password first."


@dataclass(frozen=True, slots=True)
class Linked:
    """An account of a provider; `groups` go with it, and `why_not` is what keeps its owner from parting with it."""

    account: SocialAccount
    name: str
    groups: list[str]
    is_in_use: bool
    why_not: str


def linked_to(person: User) -> list[Linked]:
    """Return the accounts that belong to a person, the one that was used last first."""
    return _linked(person, list(SocialAccount.objects.filter(user=person).order_by("-last_login", "pk")))


@transaction.atomic
def unlink(person: User, pk: int, *, now: datetime) -> None:
    """Part with one's own account of a provider, and with the groups and rights that it gave.

    Raises NotFound for an account of somebody else, Conflict for one without which there is no way to sign in.
    """
    list(SocialAccount.objects.select_for_update().filter(user=person).order_by("pk"))  # as a sign-in: these first
    locked = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    known = linked_to(locked)
    one = next((linked for linked in known if linked.account.pk == pk), None)
    if one is None:
        raise NotFound
    if one.why_not:
        raise Conflict(one.why_not, code="only_way_to_sign_in")
    leave_groups(locked, frozenset(_alone(one.account, [other.account for other in known])), now=now)
    one.account.delete()
    record(person, "user.unlinked", locked, before={"issuer": one.account.provider}, now=now)


def _linked(person: User, accounts: list[SocialAccount]) -> list[Linked]:
    doors = sum(_is_in_use(one) for one in accounts) + person.has_usable_password()
    held = set(person.groups.values_list("name", flat=True)) if accounts else set()
    held |= {settings.OIDC_ADMIN_GROUP} if person.is_staff else set()
    return [
        Linked(
            one,
            settings.OIDC_NAME if _is_in_use(one) else one.provider,
            sorted(held & _alone(one, accounts)),
            _is_in_use(one),
            ONLY_WAY if _is_in_use(one) and doors == 1 else "",
        )
        for one in accounts
    ]


def _alone(account: SocialAccount, accounts: list[SocialAccount]) -> set[str]:
    """The groups that this one of a person's accounts names, and no other one."""
    others = {name for other in accounts if other.pk != account.pk for name in _named(other)}
    return _named(account) - others


def _is_in_use(account: SocialAccount) -> bool:
    return bool(settings.OIDC_ISSUER) and account.provider == settings.OIDC_ISSUER


def _named(account: SocialAccount) -> set[str]:
    return set(account.extra_data.get("groups", ()))
