"""Who takes part in a release, and may therefore see it."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group, User

from releases import assignees
from releases.models import Participant, ReleaseRole


def take_part(release_id: int, names: Iterable[str]) -> None:
    """Note that whoever `names` stand for (groups, people, those who fill roles) takes part; once is enough."""
    by_kind: dict[str, set[str]] = {"group": set(), "role": set(), "user": set()}
    for name in names:
        kind, rest = assignees.split(name)
        by_kind[kind].add(rest)
    if not any(by_kind.values()):
        return
    groups = Group.objects.filter(name__in=by_kind["group"]).values_list("pk", flat=True)
    filled = ReleaseRole.objects.filter(release_id=release_id, role__in=by_kind["role"]).values_list(
        "user_id", flat=True
    )
    people = User.objects.filter(username__in=by_kind["user"]).values_list("pk", flat=True)
    rows = [Participant(release_id=release_id, group_id=pk) for pk in groups]
    rows += [Participant(release_id=release_id, user_id=pk) for pk in {*filled, *people}]
    Participant.objects.bulk_create(rows, ignore_conflicts=True)
