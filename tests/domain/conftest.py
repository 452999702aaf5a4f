"""What tests of the domain may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.providers.local import LocalRunner
from tests import fakes
from tests.fakes import ScriptedRunner
from tests.local_commands import until


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[LocalRunner]:
    """A spool of its own; whatever a test leaves running is stopped."""
    runner = LocalRunner(tmp_path / "spool", enabled=True)
    yield runner
    runner.stop(runner.running())
    until(lambda: not runner.running())


@pytest.fixture
def engine(settings: Any) -> ScriptedRunner:
    """The scripted engine behind the connection `scripted`, with nothing scripted yet."""
    settings.PROVIDERS = {"scripted": "tests.fakes.scripted_runner"}
    return fakes.renew()
