"""Asking an engine as the follower would: through the real guarded client, one question at a time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from activities.engines import Engine
from activities.runners import Order, Outcome
from activities.web.client import Web, make_pool
from tests.loops import finish


class Asking:
    """Asks one engine; `mask` is what no message may show."""

    def __init__(self, engine: Engine, mask: str) -> None:
        self.engine, self.mask = engine, mask

    def ask(self, call: Callable[[Web], Coroutine[Any, Any, Any]]) -> Any:
        async def story() -> Any:
            async with make_pool() as pool:
                return await call(Web(pool, [self.mask]))

        return finish(story())

    def start(self, order: Order) -> Outcome:
        found: Outcome = self.ask(lambda web: self.engine.start(order, web))
        return found

    def look(self, order: Order, reference: str, offset: int = 0) -> Outcome:
        found: Outcome = self.ask(lambda web: self.engine.look(order, reference, offset, web))
        return found

    def look_on(self, order: Order, reference: str, last: Outcome) -> Outcome:
        """Looks again, from where the last look has stopped."""
        return self.look(replace(order, log_parts=last.log_parts), reference, last.log_offset)
