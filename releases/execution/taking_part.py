"""Who takes part in a release, and may therefore see it."""

from __future__ import annotations

from collections.abc import Iterable

from releases import assignees
from releases.execution import rows

_TAKE_PART = """
    INSERT INTO releases_participant (release_id, group_id, user_id)
    SELECT %(release)s::bigint, id, NULL::int FROM auth_group WHERE name = ANY(%(group)s::text[])
     UNION
    SELECT %(release)s, NULL, id FROM auth_user WHERE username = ANY(%(user)s::text[])
     UNION
    SELECT %(release)s, NULL, user_id FROM releases_releaserole
     WHERE release_id = %(release)s AND role = ANY(%(role)s::text[])
        ON CONFLICT DO NOTHING"""


def take_part(release_id: int, names: Iterable[str]) -> None:
    """Note that whoever `names` stand for (groups, people, those who fill roles) takes part; once is enough."""
    by_kind: dict[str, set[str]] = {"group": set(), "role": set(), "user": set()}
    for name in names:
        kind, rest = assignees.split(name)
        by_kind[kind].add(rest)
    if any(by_kind.values()):
        rows.execute(_TAKE_PART, {"release": release_id, **{kind: sorted(named) for kind, named in by_kind.items()}})
