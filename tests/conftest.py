"""What every test may ask for. The servers start when the first test needs a database, and stop after the last."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection

from config.embedded import Hold
from tests import ready_made
from tests.emptying import empty_quickly

pytest_plugins = ["tests.cast"]
empty_quickly()


@pytest.fixture(scope="session")
def servers() -> Iterator[None]:
    """A real PostgreSQL and broker: those of `DATABASE_URL` and `REDIS_URL`, or the embedded pair."""
    if not settings.EMBEDDED:
        yield
        return
    hold = Hold(settings.STATE)
    yield
    hold.release()


@pytest.fixture(scope="session")
def django_db_setup(servers: None, django_db_setup: None) -> Iterator[None]:
    """The test database on the servers; processes that tests start find its name in the environment."""
    os.environ["PILOTHOUSE_TEST_DATABASE"] = str(connection.settings_dict["NAME"])
    yield
    del os.environ["PILOTHOUSE_TEST_DATABASE"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(servers: None, django_db_modify_db_settings: None) -> None:
    """Waits for the servers before the test database is made; a left-over one of this slot is replaced unasked."""
    os.environ.pop("PILOTHOUSE_TEST_DATABASE", None)
    if settings.EMBEDDED:
        connection.settings_dict["TEST"]["TEMPLATE"] = ready_made.template(settings.STATE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The few long tests come first, so that no worker is left with them when the others have nothing more to do."""
    items.sort(key=lambda item: 0 if "/system/" in item.nodeid else 1)


def pytest_collection_finish() -> None:
    """What is there by now stays to the end: looking through it for garbage, again and again, finds none."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
