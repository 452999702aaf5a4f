"""The stories of the provider `azure`, told again: every question and answer must be as Azure DevOps describes its API.

The description is that of `azure-devops`, the client that Microsoft generates from it; it does not know what the values
of enumerations are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.azure_double import Azure
from tests.client_msrest import described
from tests.clients import client, with_null
from tests.contract import Contract
from tests.contract import asked as question
from tests.engine_double import Reply, Request
from tests.pure.test_azure import *  # noqa: F403

VERSION = "7.1.0b4"
DIGEST = "f827e9fbc7c77bc6f2aaee46e5717514e9fe7d676c87624eccd0ca640b54f122"
PROJECT = "/{organization}/{project}/_apis"
BUILD = f"{PROJECT}/build/builds/{{buildId}}"
RUNS = f"{PROJECT}/pipelines/{{pipelineId}}/runs"
ITEMS = f"{PROJECT}/git/repositories/{{repositoryId}}/items"
OPERATIONS = {
    "location": {"get_connection_data": "/{organization}/_apis/connectionData"},
    "core": {"get_project": "/{organization}/_apis/projects/{projectId}"},
    "pipelines": {
        "list_pipelines": f"{PROJECT}/pipelines",
        "run_pipeline": RUNS,
        "get_artifact": f"{RUNS}/{{runId}}/artifacts",
    },
    "build": {
        "get_definitions": f"{PROJECT}/build/definitions",
        "get_definition": f"{PROJECT}/build/definitions/{{definitionId}}",
        "get_builds": f"{PROJECT}/build/builds",
        "get_build": BUILD,
        "update_build": BUILD,
        "get_build_timeline": f"{BUILD}/timeline",
        "get_build_log": f"{BUILD}/logs/{{logId}}",
    },
    "git": {"get_item_text": ITEMS},
}
PENDING = {"build.TimelineRecord": ["log", "startTime"]}
"""What a step has not yet is null."""


@pytest.fixture(scope="module")
def contract() -> Contract:
    """What Azure DevOps says of its API."""
    place = client("azure-devops", VERSION, DIGEST) / "azure/devops"
    document = described(place / "v7_1", OPERATIONS, {"type": "string", "pattern": r"^7\.1(-preview(\.\d+)?)?$"})
    items = document["paths"][ITEMS]["get"]["parameters"]
    items.append({"name": "$format", "in": "query", "schema": {"enum": ["json", "zip", "text", "octetStream"]}})
    document["components"]["schemas"] = with_null(document["components"]["schemas"], PENDING)
    return Contract(document, error="#/components/schemas/.WrappedException")


@pytest.fixture  # type: ignore[no-redef]
def azure(contract: Contract, settings: Any) -> Iterator[Azure]:
    """In the place of the stories' own double: one that is watched."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    azure = Azure()
    with contract.kept_by(azure) as api:
        azure.url = api.url  # type: ignore[attr-defined]
        yield azure


def asked(method: str, path: str, body: Any = None, **query: str) -> Request:
    return question(method, f"/shop/cart/_apis{path}", body, **{"api-version": "7.1", **query})


@pytest.mark.parametrize(
    ("request_", "reply", "words"),
    [
        (asked("GET", "/build/runs"), Reply(404, {}), "is not in the description"),
        (asked("POST", "/build/builds/7", {}), Reply(), "is not in the description"),
        (replace(asked("GET", "/build/builds/7"), query={}), Reply(200, {}), "has no 'api-version'"),
        (asked("GET", "/build/builds/7", **{"api-version": "6.0"}), Reply(200, {}), "'api-version' cannot be '6.0'"),
        (asked("GET", "/build/builds/seven"), Reply(404, {}), "'buildId' cannot be 'seven'"),
        (asked("GET", "/build/builds", definition="12"), Reply(200, {}), "unknown 'definition'"),
        (asked("POST", "/pipelines/12/runs"), Reply(200, {}), "the body is missing"),
        (asked("POST", "/pipelines/12/runs", {"parameters": {}}), Reply(200, {}), "'parameters' was unexpected"),
        (asked("POST", "/pipelines/12/runs", {"variables": {"a": "b"}}), Reply(200, {}), "'b' is not of type 'object'"),
        (asked("GET", "/build/builds/7"), Reply(201, {}), "is not answered with 201"),
        (asked("GET", "/build/builds/7"), Reply(200, {"id": "7"}), "'7' is not of type 'integer'"),
        (asked("GET", "/build/builds/7"), Reply(200, {"state": "completed"}), "'state' was unexpected"),
        (asked("GET", "/build/builds/7/timeline"), Reply(200, {"records": {}}), "{} is not of type 'array'"),
        (asked("GET", "/build/builds"), Reply(200, {"value": [{"result_": "failed"}]}), "'result_' was unexpected"),
        (asked("GET", "/build/builds/7"), Reply(404, {"error": "none"}), "'error' was unexpected"),
    ],
)
def test_what_azure_does_not_know_is_found(contract: Contract, request_: Request, reply: Reply, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        assert not contract.faults_of(request_, reply), contract.faults_of(request_, reply)
    told = Reply(200, {"id": 7, "status": "completed", "_links": {"web": {"href": "https://azure.example"}}})
    assert contract.faults_of(asked("GET", "/build/builds/7"), told) == []
