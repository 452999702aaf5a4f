"""The stories of the provider `argo`, told again: every question and answer must be as Argo describes its API.

The description is that of `argo-workflows`, the client that Argo generates from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.argo_double import Argo
from tests.client_tables import described
from tests.clients import client, with_null
from tests.contract import Contract, asked
from tests.engine_double import Reply, Request
from tests.pure.test_argo import *  # noqa: F403

VERSION = "6.7.18"
DIGEST = "f314a423d72673688a012c795d047728d8b5146a28fb5fe44d84dae7c67cd484"
NO_TEMPLATES = {f"IoArgoprojWorkflowV1alpha1{kind}WorkflowTemplateList": ["items"] for kind in ("", "Cluster")}
"""A list without any is null in Go."""
WORKFLOWS = "/api/v1/workflows/argo"
OPTIONS = {"name": "one", "parameters": ["version=1"]}
ORDER = {"resourceKind": "WorkflowTemplate", "resourceName": "deploy", "submitOptions": OPTIONS}


@pytest.fixture(scope="module")
def contract() -> Contract:
    """What Argo says of its API."""
    place = client("argo-workflows", VERSION, DIGEST) / "argo_workflows"
    document = described(sorted((place / "api").glob("*_api.py")), place / "model")
    document["components"]["schemas"] = with_null(document["components"]["schemas"], NO_TEMPLATES)
    return Contract(document, error="#/components/schemas/GrpcGatewayRuntimeError")


@pytest.fixture  # type: ignore[no-redef]
def argo(contract: Contract, settings: Any) -> Iterator[Argo]:
    """In the place of the stories' own double: one that is watched."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    argo = Argo()
    with contract.kept_by(argo) as api:
        argo.url = api.url  # type: ignore[attr-defined]
        yield argo


@pytest.mark.parametrize(
    ("request_", "reply", "words"),
    [
        (asked("GET", f"{WORKFLOWS}/one/logs"), Reply(404, {}), "is not in the description"),
        (asked("POST", f"{WORKFLOWS}/one/stop", {}), Reply(), "is not in the description"),
        (asked("GET", "/api/v1/workflow-templates/argo", fields="items"), Reply(404, {}), "unknown 'fields'"),
        (asked("GET", f"{WORKFLOWS}/one/log", **{"logOptions.tailLines": "9", "tail": "9"}), Reply(), "unknown 'tail'"),
        (asked("POST", f"{WORKFLOWS}/submit"), Reply(), "the body is missing"),
        (asked("POST", f"{WORKFLOWS}/submit", {**ORDER, "name": "a"}), Reply(), "'name' was unexpected"),
        (asked("POST", f"{WORKFLOWS}/submit", {**ORDER, "resourceName": 7}), Reply(), "7 is not of type 'string'"),
        (
            asked("POST", f"{WORKFLOWS}/submit", {**ORDER, "submitOptions": {"parameters": {"version": "1"}}}),
            Reply(),
            "is not of type 'array'",
        ),
        (asked("GET", f"{WORKFLOWS}/one"), Reply(201, {}), "is not answered with 201"),
        (asked("GET", f"{WORKFLOWS}/one"), Reply(200, {"status": {"state": "Failed"}}), "'state' was unexpected"),
        (asked("GET", f"{WORKFLOWS}/one"), Reply(200, {"status": {"nodes": []}}), r"\[\] is not of type 'object'"),
        (asked("GET", f"{WORKFLOWS}/one"), Reply(404, {"errors": "no"}), "'errors' was unexpected"),
        (asked("GET", f"{WORKFLOWS}/one/log"), Reply(200, b'{"result": {"line": "a"}}\n'), "'line' was unexpected"),
    ],
)
def test_what_argo_does_not_know_is_found(contract: Contract, request_: Request, reply: Reply, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        assert not contract.faults_of(request_, reply), contract.faults_of(request_, reply)
    told = Reply(200, {"metadata": {"name": "one"}, "status": {"phase": "Failed"}})
    assert contract.faults_of(asked("POST", f"{WORKFLOWS}/submit", ORDER), told) == []
