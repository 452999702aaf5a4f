"""What tests of the whole system may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from config.embedded import State
from tests import ready_made
from tests.system.stack import Stack


@pytest.fixture(scope="module")
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests of a module: it takes longer to start than most of them."""
    folder = tmp_path_factory.mktemp("crash")
    ready_made.furnish(State(folder / "state"), settings.STATE)
    stack = Stack(folder)
    yield stack
    stack.close()


@pytest.fixture
def stack(running_stack: Stack) -> Stack:
    """The module's stack with two workers and one beat alive, and no stop armed."""
    running_stack.mend()
    return running_stack
