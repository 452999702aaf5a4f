"""The provider `buildbot` against a real Buildbot: a master and a worker of their own, on this machine.

Where Buildbot cannot be had, these tests are skipped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.engines import Connected
from activities.providers.buildbot import BuildbotEngine
from activities.runners import Order, Outcome
from activities.web.client import Web, make_pool
from config.errors import RunnerRefused
from tests import buildbot_server
from tests.buildbot_server import PASSWORD
from tests.installed import CannotBeHad
from tests.loops import finish

PATIENCE = 60.0
ENGINE = BuildbotEngine()


@pytest.fixture(scope="module")
def buildbot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Buildbot with one worker."""
    try:
        with buildbot_server.buildbot(tmp_path_factory.mktemp("buildbot")) as address:
            yield address
    except CannotBeHad as error:
        pytest.skip(f"Buildbot cannot be had: {error}")


@pytest.fixture(autouse=True)
def _allowed(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


def order_for(address: str, pipeline: str, key: str, **rest: Any) -> Order:
    settings = {"url": address, "username": "pilothouse"}
    given = {"version": "1.4.0", "dry": "true"}
    return Order(key, settings, {"pipeline": pipeline}, PASSWORD, given, started_at=datetime.now(UTC), **rest)


def ask(call: Callable[[Web], Coroutine[Any, Any, Any]]) -> Any:
    async def story() -> Any:
        async with make_pool() as pool:
            return await call(Web(pool, [PASSWORD]))

    return finish(story())


def followed(order: Order, reference: str) -> Outcome:
    until = time.monotonic() + PATIENCE
    while True:
        outcome: Outcome = ask(lambda web: ENGINE.look(order, reference, 0, web))
        if outcome.is_over:
            return outcome
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_build_is_started_followed_and_read(buildbot: str) -> None:
    order = order_for(buildbot, "shop/deploy", "1-1-1700000000000000")
    started = ask(lambda web: ENGINE.start(order, web))
    assert started.status == "running"
    assert started.link.startswith(f"{buildbot}/#/buildrequests/")
    again = ask(lambda web: ENGINE.start(replace(order, again=True), web))
    assert (again.reference, again.link) == (started.reference, started.link)
    outcome = followed(order, started.reference)
    assert (outcome.status, outcome.error, outcome.outputs) == ("succeeded", "", {"image": "cart:1.4.0"})
    assert outcome.log


def test_a_failing_build_says_where_and_shows_its_log(buildbot: str) -> None:
    order = order_for(buildbot, "shop/broken", "2-1-1700000000000000")
    outcome = followed(order, ask(lambda web: ENGINE.start(order, web)).reference)
    assert outcome.status == "failed"
    assert outcome.error.startswith("Step 'test': ")
    assert "it does not hold" in outcome.log


def test_a_log_is_shown_before_the_build_is_over(buildbot: str) -> None:
    order = order_for(buildbot, "shop/talking", "10-1-1700000000000000")
    reference = ask(lambda web: ENGINE.start(order, web)).reference
    offset, told = 0, list[str]()
    until = time.monotonic() + PATIENCE
    while True:
        outcome = ask(lambda web, offset=offset: ENGINE.look(order, reference, offset, web))  # type: ignore[misc]
        offset = outcome.log_offset
        if outcome.is_over:
            break
        told.append(outcome.log)
        assert time.monotonic() < until
        time.sleep(0.5)
    assert "\nbegun\n" in "".join(told)
    whole = "".join(told) + outcome.log
    assert (outcome.status, whole.count("\nbegun\n"), whole.count("\nended\n")) == ("succeeded", 1, 1)


def test_a_build_is_stopped_whether_it_runs_or_waits(buildbot: str) -> None:
    orders = [order_for(buildbot, "shop/slow", f"{number}-1-1700000000000000") for number in (3, 4, 5)]
    references = [ask(lambda web, order=order: ENGINE.start(order, web)).reference for order in orders]  # type: ignore[misc]
    time.sleep(1)
    ask(lambda web: ENGINE.cancel(orders[2], references[2], web))
    ask(lambda web: ENGINE.cancel(orders[1], "", web))
    ask(lambda web: ENGINE.cancel(orders[0], references[0], web))
    found = [followed(order, reference).status for order, reference in zip(orders, references, strict=True)]
    assert found == ["cancelled"] * 3
    ask(lambda web: ENGINE.cancel(orders[0], references[0], web))


def test_a_request_that_is_merged_into_another_is_no_success(buildbot: str) -> None:
    orders = [order_for(buildbot, "shop/merging", f"{number}-1-1700000000000000") for number in (7, 8, 9)]
    references = []
    for order in orders:
        references.append(ask(lambda web, order=order: ENGINE.start(order, web)).reference)  # type: ignore[misc]
        time.sleep(1)
    outcome = followed(orders[1], references[1])
    assert outcome.status == "failed"
    assert "collapseRequests=False" in outcome.error
    for order, reference in zip(orders, references, strict=True):
        ask(lambda web, order=order, reference=reference: ENGINE.cancel(order, reference, web))  # type: ignore[misc]
    assert [followed(orders[n], references[n]).status for n in (0, 2)] == ["cancelled"] * 2


def test_who_may_not_start_is_refused(buildbot: str) -> None:
    order = order_for(buildbot, "shop/deploy", "6-1-1700000000000000")
    wrong = replace(order, secret="wrong"), replace(order, connection={"url": buildbot}, secret=None)
    for one in wrong:
        with pytest.raises(RunnerRefused) as refused:
            ask(lambda web, one=one: ENGINE.start(one, web))  # type: ignore[misc]
        assert refused.value.code == "engine_denied"
    with pytest.raises(RunnerRefused, match="no field of these names: UNHEARD"):
        ask(lambda web: ENGINE.start(replace(order, parameters={"UNHEARD": "1"}), web))
    with pytest.raises(RunnerRefused, match="version"):
        ask(lambda web: ENGINE.start(replace(order, parameters={"version": ""}), web))


def test_a_connection_is_tested_and_its_pipelines_are_picked(buildbot: str) -> None:
    known = Connected("bb", {"url": buildbot, "username": "pilothouse"}, PASSWORD)
    assert ask(lambda web: ENGINE.check(known, web)) == "Buildbot knows us as pilothouse."
    found = ask(lambda web: ENGINE.pipelines(known, web, ""))
    assert [one.id for one in found] == [
        "shop",
        "shop/deploy",
        "shop/broken",
        "shop/slow",
        "shop/talking",
        "shop/merging",
    ]
    parameters = ask(lambda web: ENGINE.parameters(known, web, "shop/deploy"))
    wanted = {("version", "string", "1", True), ("dry", "boolean", "false", False)}
    assert wanted <= {(one.name, one.type, one.default, one.is_required) for one in parameters}
