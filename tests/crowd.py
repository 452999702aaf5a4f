"""More people than the cast, for sign-offs that need several of them."""

from __future__ import annotations

from django.contrib.auth.models import Group, User


def member(name: str, *groups: str, active: bool = True) -> User:
    """Return the person of that name, in these groups (and in those they already were in)."""
    person, _ = User.objects.get_or_create(username=name, defaults={"is_active": active})
    person.groups.add(*(Group.objects.get_or_create(name=group)[0] for group in groups))
    return person
