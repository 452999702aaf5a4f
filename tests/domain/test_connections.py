"""A database connection that breaks between two tasks costs nothing."""

from __future__ import annotations

import pytest
from django.db import close_old_connections, connection

from releases.execution import rows


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_cut_while_nobody_used_it_is_not_used_by_the_next_task() -> None:
    [(mine,)] = rows.fetch("SELECT pg_backend_pid()", [])
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [mine])
    other.close()
    close_old_connections()  # as the worker does before each task
    assert rows.fetch("SELECT 1", []) == [(1,)]
