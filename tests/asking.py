"""Asking an engine as the follower would: through the real guarded client, one question at a time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.engines import Engine
from activities.runners import Order, Outcome
from activities.web.client import Web, make_pool
from config.errors import RunnerRefused
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

    def bears_refusals_for_five_minutes(self, order: Order) -> None:
        """Holds a wait against what becomes of it when its sign-in is refused: borne for a while, but not at first."""
        first = self.start(order)
        assert first.status == "running"
        revoked = replace(order, secret="revoked")
        refused = self.look(revoked, first.reference)
        assert (refused.status, refused.look_in, "401" in refused.error) == ("running", 60, True)
        assert refused.progress is not None
        assert self.look(replace(order, progress=refused.progress), first.reference).progress == {}
        long_ago = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
        progress = {**refused.progress, "refused_since": long_ago}
        assert self.look(replace(revoked, progress=progress), first.reference).status == "running", "two are not enough"
        with pytest.raises(RunnerRefused, match="for 5 minutes") as caught:
            self.look(replace(revoked, progress={**progress, "refused_times": 4}), first.reference)
        assert caught.value.code == "refused_for_good"
        with pytest.raises(RunnerRefused, match="401"):
            self.start(revoked)
        assert self.start(replace(revoked, again=True)).status == "running"
