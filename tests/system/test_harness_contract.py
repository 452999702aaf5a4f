"""The stories of the provider `harness`, told again: every question and answer must be as Harness describes its API.

The description is that of `harness-open-api`, the client that Harness generates from it. The log service is not in it.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.client_swagger import described
from tests.clients import client
from tests.contract import Contract, asked
from tests.engine_double import Reply, Request
from tests.harness_double import Harness
from tests.pure.test_harness import *  # noqa: F403

VERSION = "2.0.1"
DIGEST = "9403c77ad9ffea344c5e2f65a82024dde82883db7d47a5e06855a83e8c06a86d"
APIS = ("pipeline", "pipeline_execute", "pipeline_execution_details", "pipeline_input_set")
SCOPE = {"accountIdentifier": "acc", "orgIdentifier": "default", "projectIdentifier": "shop"}
ONE = "/pipeline/api/pipelines/execution/v2/exec0"
START = "/pipeline/api/pipeline/execute/deploy"

pytestmark = pytest.mark.real

del test_a_status_that_harness_does_not_tell_of_does_no_harm  # noqa: F821


@pytest.fixture(scope="module")
def contract() -> Contract:
    """What Harness says of its API."""
    place = client("harness-open-api", VERSION, DIGEST) / "harness_open_api"
    document = described([place / "api" / f"{name}_api.py" for name in APIS], place / "models")
    document["components"]["schemas"] = _as_sent(document["components"]["schemas"])
    return Contract(document, error="#/components/schemas/Failure")


def _as_sent(schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a task's response, the client knows how Harness holds it (`logKeysList`), not how it is sent."""
    known = schemas["TaskExecutableResponse"]
    task = {**known["properties"], "logKeys": known["properties"]["logKeysList"]}
    return ChainMap({"TaskExecutableResponse": {**known, "properties": task}}, schemas)  # type: ignore[arg-type]


@pytest.fixture  # type: ignore[no-redef]
def harness(contract: Contract, settings: Any) -> Iterator[Harness]:
    """In the place of the stories' own double: one that is watched, but for its log service."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    harness = Harness()
    with contract.kept_by(harness, unless="/gateway/log-service/") as api:
        harness.url = api.url  # type: ignore[attr-defined]
        yield harness


@pytest.mark.parametrize(
    ("request_", "reply", "words"),
    [
        (asked("GET", f"{ONE}/log", **SCOPE), Reply(404, {}), "is not in the description"),
        (asked("POST", ONE, {}, **SCOPE), Reply(), "is not in the description"),
        (asked("GET", ONE, accountIdentifier="acc"), Reply(200, {}), "has no 'orgIdentifier'"),
        (asked("GET", ONE, **SCOPE, renderGraph="true"), Reply(200, {}), "unknown 'renderGraph'"),
        (asked("GET", ONE, **SCOPE, renderFullBottomGraph="all"), Reply(200, {}), "cannot be 'all'"),
        (asked("POST", START, {}, **SCOPE), Reply(200, {}), "a body of application/json is not taken"),
        (asked("POST", f"{START}/inputSetList", {"inputSets": ["a"]}, **SCOPE), Reply(200, {}), "'inputSets' was unex"),
        (asked("POST", f"{START}/inputSetList", **SCOPE), Reply(200, {}), "the body is missing"),
        (asked("GET", ONE, **SCOPE), Reply(201, {}), "is not answered with 201"),
        (asked("GET", ONE, **SCOPE), Reply(200, {"data": {"pipelineExecutionSummary": {"status": "Over"}}}), "'Over'"),
        (asked("GET", ONE, **SCOPE), Reply(200, {"data": {"executionGraph": {"nodes": {}}}}), "'nodes' was unexpected"),
        (asked("GET", ONE, **SCOPE), Reply(200, {"data": []}), r"\[\] is not of type 'object'"),
        (asked("GET", ONE, **SCOPE), Reply(400, {"error": "no"}), "'error' was unexpected"),
    ],
)
def test_what_harness_does_not_know_is_found(contract: Contract, request_: Request, reply: Reply, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        assert not contract.faults_of(request_, reply), contract.faults_of(request_, reply)
    told = Reply(200, {"status": "SUCCESS", "data": {"pipelineExecutionSummary": {"status": "AbortedByFreeze"}}})
    assert contract.faults_of(asked("GET", ONE, **SCOPE), told) == []
