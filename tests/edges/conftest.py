"""What tests of the edges may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from pytest_django.fixtures import Settings
from pytest_django.plugin import DjangoDbBlocker

from config.embedded import ROOT
from processes.services import apply
from tests import cast, fakes
from tests.fakes import ScriptedRunner


@pytest.fixture
def engine(settings: Settings) -> ScriptedRunner:
    """The scripted engine behind the connection `scripted`, with nothing scripted yet."""
    settings.PROVIDERS = {"scripted": "tests.fakes.scripted_runner"}
    return fakes.renew()


@pytest.fixture(scope="module")
def multi_service(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The sample `multi-service-release` and what it uses, published once for a whole module, and gone after it."""
    text = (ROOT / "docs" / "examples" / "multi-service-release.yaml").read_text()
    with django_db_blocker.unblock(), transaction.atomic():
        for name in cast.GROUPS:
            Group.objects.create(name=name)
        apply(None, text, now=datetime(2026, 1, 5, 9, 0, tzinfo=UTC), publish=True)
        yield
        transaction.set_rollback(True)
