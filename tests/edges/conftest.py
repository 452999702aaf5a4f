"""What tests of the edges may ask for."""

from __future__ import annotations

import pytest
from pytest_django.fixtures import Settings

from tests import fakes
from tests.fakes import ScriptedRunner


@pytest.fixture
def engine(settings: Settings) -> ScriptedRunner:
    """The scripted engine behind the connection `scripted`, with nothing scripted yet."""
    settings.PROVIDERS = {"scripted": "tests.fakes.scripted_runner"}
    return fakes.renew()
