"""The stories of the gates, told again: what `datadog` asks and is answered must be as Datadog describes its API.

The description is that of `datadog-api-client`, the client that Datadog generates from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.client_tables import described
from tests.clients import client
from tests.contract import Contract
from tests.engine_double import Reply, Request
from tests.monitoring_double import Monitoring
from tests.pure.test_gates_of_providers import *  # noqa: F403

VERSION = "2.62.0"
DIGEST = "b779cde91e0d8c24666e762154bb266506cecaf63bcc9339cd2e0a34f2e30183"
SPAN = {"from": "0", "to": "60", "query": "errors"}

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def contract() -> Contract:
    """What Datadog says of its API."""
    place = client("datadog-api-client", VERSION, DIGEST) / "datadog_api_client/v1"
    apis = [place / "api" / f"{name}_api.py" for name in ("metrics", "authentication")]
    return Contract(described(apis, place / "model"), error="#/components/schemas/APIErrorResponse")


@pytest.fixture  # type: ignore[no-redef]
def monitoring(contract: Contract, settings: Any) -> Iterator[Monitoring]:
    """In the place of the stories' own double: one that is watched where it is Datadog."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    monitoring = Monitoring()
    with contract.kept_by(monitoring, under="/api/") as api:
        monitoring.url, monitoring.asked = api.url, api.asked
        yield monitoring


def asked(path: str, method: str = "GET", **query: str) -> Request:
    return Request(method, path, query, {}, b"")


@pytest.mark.parametrize(
    ("request_", "reply", "words"),
    [
        (asked("/api/v1/series/query"), Reply(404, {}), "is not in the description"),
        (asked("/api/v1/validate", "POST"), Reply(), "is not in the description"),
        (asked("/api/v1/query", **{"from": "0", "query": "a"}), Reply(200, {}), "has no 'to'"),
        (asked("/api/v1/query", **SPAN, step="60"), Reply(200, {}), "unknown 'step'"),
        (asked("/api/v1/query", **{**SPAN, "to": "now"}), Reply(200, {}), "'to' cannot be 'now'"),
        (asked("/api/v1/query", **SPAN), Reply(200, {"series": {}}), "{} is not of type 'array'"),
        (asked("/api/v1/query", **SPAN), Reply(200, {"series": [{"name": "a"}]}), "'name' was unexpected"),
        (asked("/api/v1/query", **SPAN), Reply(200, {"series": [{"interval": "60"}]}), "'60' is not of type 'integer'"),
        (asked("/api/v1/query", **SPAN), Reply(200, {"series": [{"pointlist": [["0", 1]]}]}), "'0' is not"),
        (asked("/api/v1/validate"), Reply(200, {"valid": "yes"}), "'yes' is not of type 'boolean'"),
        (asked("/api/v1/validate"), Reply(403, {"error": "Forbidden"}), "'error' was unexpected"),
    ],
)
def test_what_datadog_does_not_know_is_found(contract: Contract, request_: Request, reply: Reply, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        assert not contract.faults_of(request_, reply), contract.faults_of(request_, reply)
    told = Reply(200, {"status": "ok", "series": [{"scope": "*", "interval": 60, "pointlist": [[0, None], [1, 2.5]]}]})
    assert contract.faults_of(asked("/api/v1/query", **SPAN), told) == []
