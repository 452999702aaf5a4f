"""Coroutines in tests. Playwright keeps a loop running in the main thread of whoever tested in a browser before."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Answer = TypeVar("Answer")


def finish(story: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a coroutine to its end on a loop and a thread of its own; what it raises is raised here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, story).result()
