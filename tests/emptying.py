"""What a test has committed is deleted after it, and only that.

Django's own way truncates every table, which makes each of its files anew, and then writes content types and
permissions once more: half a second, where this takes a fiftieth. Only a superuser may switch triggers off, so anybody
else's database is emptied as Django does it.
"""

from __future__ import annotations

from functools import cache

from django.db import connection, transaction
from django.test import TransactionTestCase

KEPT = ("auth_permission", "django_content_type")
"""What migrations fill and no test changes."""
LARGE = 1 << 20
"""Bytes from which on a table is given back to the disk: what is deleted still takes its place."""
_as_django_does = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]


def empty_quickly() -> None:
    """Have tests that commit leave empty tables behind without rewriting those that they never filled."""
    TransactionTestCase._fixture_teardown = _teardown  # type: ignore[attr-defined]


def _teardown(case: TransactionTestCase) -> None:
    if not _is_superuser():
        _as_django_does(case)
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_alone())
        cursor.execute(_filled())
        found: dict[str, int] = dict(cursor.fetchall())
        if found:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("; ".join(f'DELETE FROM "{name}"' for name in found))
    with connection.cursor() as cursor:
        for name in (name for name, size in found.items() if size > LARGE):
            cursor.execute(f'VACUUM "{name}"')


@cache
def _is_superuser() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


@cache
def _names() -> list[str]:
    found = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return sorted({*found} - {*KEPT})


@cache
def _alone() -> str:
    """What waits for whoever still writes, a process that is about to end for instance."""
    names = '", "'.join(_names())
    return f'LOCK TABLE "{names}" IN SHARE ROW EXCLUSIVE MODE'


@cache
def _filled() -> str:
    """A question for the tables that have rows, and their sizes."""
    asked = (f"SELECT '{name}', pg_relation_size('{name}') WHERE EXISTS (SELECT FROM \"{name}\")" for name in _names())
    return " UNION ALL ".join(asked)
