"""The stories of the provider `harness_fme`, told again: questions and answers must be as Split's own client has them.

The client, `splitapiclient`, has no operation that patches a definition. That one is as the documentation of the Admin
API tells it ("Partial update feature flag definition in environment"): a JSON patch of any field of a definition.
"""

from __future__ import annotations

from collections import ChainMap
from typing import Any

import pytest

from tests.client_split import described, listed
from tests.clients import answered, client, referred
from tests.contract import Contract, asked
from tests.engine_double import Reply, Request
from tests.flag_story import Listening
from tests.harness_fme_double import API
from tests.pure.test_harness_fme import TestHarnessFme

VERSION = "3.5.9"
DIGEST = "aa30eaa4c75aaa4b48f30fade2392e12408fd1a7785925106388bf194457d667"
FLAG = f"{API}/splits/ws/ws-1/new"
HERE = f"{FLAG}/environments/production"
DEFINITION = "/splits/ws/{workspaceId}/{splitName}/environments/{environmentId}"

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def contract() -> Contract:
    """What Split says of its API."""
    flag, definition = referred("Split"), referred("SplitDefinition")
    operations = {
        ("split", "create"): flag,
        ("split", "get"): flag,
        ("split", "add_to_environment"): definition,
        ("split_definition", "get_definition"): definition,
        ("environment", "all_items"): listed("Environment"),
    }
    document = described(client("splitapiclient", VERSION, DIGEST) / "splitapiclient", API, operations)
    schemas = document["components"]["schemas"]
    misspelt = schemas["Split"]
    assert "namr" in misspelt["properties"]["trafficType"]["properties"]
    flag_schema = {**misspelt, "properties": {**misspelt["properties"], "trafficType": referred("TrafficType")}}
    schemas = ChainMap({"Split": flag_schema, "Error": {"additionalProperties": True}}, schemas)
    here = document["paths"][f"{API}{DEFINITION}"]
    here["patch"] = _patch(schemas["SplitDefinition"]["properties"], here["get"]["parameters"])
    return Contract({**document, "components": {"schemas": schemas}}, error="#/components/schemas/Error")


def _patch(fields: dict[str, Any], parameters: list[Any]) -> dict[str, Any]:
    steps = [
        {
            "required": ["op", "path", "value"],
            "properties": {"op": {"const": "replace"}, "path": {"const": f"/{name}"}, "value": schema},
        }
        for name, schema in fields.items()
    ]
    told = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("title", "comment")]
    body = {"type": "array", "minItems": 1, "items": {"oneOf": steps}}
    return {
        "parameters": [*parameters, *told],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": answered(referred("SplitDefinition"))},
    }


class TestDescribed(TestHarnessFme):
    """In the place of the stories' own double: one that is watched."""

    @pytest.fixture
    def listening(self, contract: Contract) -> Listening:
        return contract.kept_by


del TestHarnessFme  # or it would be told again as it is


def patched(**step: Any) -> Request:
    return asked("PATCH", HERE, [step], title="off", comment="By Pilothouse")


@pytest.mark.parametrize(
    ("request_", "reply", "words"),
    [
        (asked("GET", f"{API}/splits/new"), Reply(404, {}), "is not in the description"),
        (asked("PUT", FLAG, {}), Reply(200, {}), "is not in the description"),
        (asked("GET", FLAG, environment="production"), Reply(404, {}), "unknown 'environment'"),
        (asked("POST", f"{API}/splits/ws/ws-1/trafficTypes/user"), Reply(200, {}), "the body is missing"),
        (asked("POST", HERE, {"treatment": "on"}), Reply(200, {}), "'treatment' was unexpected"),
        (asked("POST", HERE, {"defaultRule": {"on": 5}}), Reply(200, {}), "is not of type 'array'"),
        (asked("POST", HERE, {"treatments": [{"name": "on", "weight": 5}]}), Reply(200, {}), "'weight' was unexpected"),
        (asked("POST", HERE, {"defaultTreatment": "off"}), Reply(204), "is not answered with 204"),
        (patched(op="replace", path="/status", value="killed"), Reply(200, {}), "is not valid under any"),
        (patched(op="replace", path="/killed", value="true"), Reply(200, {}), "is not valid under any"),
        (patched(op="replace", path="/killed"), Reply(200, {}), "is not valid under any"),
        (asked("PATCH", HERE, []), Reply(200, {}), "should be non-empty"),
        (asked("PATCH", HERE, {"killed": True}), Reply(200, {}), "is not of type 'array'"),
        (asked("GET", HERE), Reply(200, {"killed": "no"}), "'no' is not of type 'boolean'"),
        (asked("GET", HERE), Reply(200, {"status": "killed"}), "'status' was unexpected"),
        (asked("GET", f"{API}/environments/ws/ws-1"), Reply(200, {"objects": []}), "is not of type 'array'"),
    ],
)
def test_what_split_does_not_know_is_found(contract: Contract, request_: Request, reply: Reply, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        assert not contract.faults_of(request_, reply), contract.faults_of(request_, reply)
    right = patched(op="replace", path="/defaultRule", value=[{"treatment": "on", "size": 100}])
    assert contract.faults_of(right, Reply(200, {"name": "new", "killed": False})) == []
