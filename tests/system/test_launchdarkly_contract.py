"""The stories of the provider `launchdarkly`, told again: questions and answers must be as LaunchDarkly describes them.

The description is that of `launchdarkly-api`, the client that LaunchDarkly generates from it.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.client_pydantic import described
from tests.clients import client
from tests.contract import Contract
from tests.contract import asked as question
from tests.engine_double import Reply, Request
from tests.flag_story import Listening
from tests.pure.test_launchdarkly import TestLaunchDarkly

VERSION = "25.0.1"
DIGEST = "2d1dde82d2b9054fde5010a59c3c0c61500d74b28b387e358f37557787224cd6"
FLAGS = "/api/v2/flags/default"
ONE = f"{FLAGS}/new"
FLAG = "/api/v2/flags/{projectKey}/{featureFlagKey}"

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def contract() -> Contract:
    """What LaunchDarkly says of its API."""
    place = client("launchdarkly-api", VERSION, DIGEST) / "launchdarkly_api"
    apis = [place / "api" / f"{name}_api.py" for name in ("feature_flags", "environments", "other")]
    document = described(apis, place / "models")
    patch = document["paths"][FLAG]["patch"]
    patch["requestBody"]["content"]["application/json"]["schema"] = _semantic_patch(patch["description"])
    return Contract(document)


def _semantic_patch(told: str) -> dict[str, Any]:
    """The other body that flags are patched with, which is only told in words: each instruction, and what it takes."""
    kinds = re.findall(r"(?<!#)#### (\w+)  (.*?)(?=(?<!#)####? |</details>)", told)
    takes = {kind: re.findall(r"- `(\w+)`:", words.partition("Here's an example")[0]) for kind, words in kinds}
    assert len(takes) > 40
    instructions = [
        {"required": ["kind"], "properties": {"kind": {"const": kind}, **{name: {} for name in names}}}
        for kind, names in takes.items()
    ]
    texts = {name: {"type": "string"} for name in ("comment", "environmentKey")}
    listed = {"type": "array", "minItems": 1, "items": {"oneOf": instructions}}
    return {"type": "object", "required": ["instructions"], "properties": {**texts, "instructions": listed}}


class TestDescribed(TestLaunchDarkly):
    """In the place of the stories' own double: one that is watched."""

    @pytest.fixture
    def listening(self, contract: Contract) -> Listening:
        return contract.kept_by


del TestLaunchDarkly  # or it would be told again as it is


def asked(method: str, path: str, body: Any = None, **query: str) -> Request:
    return question(method, path, body, sent_as="application/json; domain-model=launchdarkly.semanticpatch", **query)


def patched(**instruction: Any) -> Request:
    return asked("PATCH", ONE, {"environmentKey": "production", "instructions": [instruction]})


@pytest.mark.parametrize(
    ("request_", "reply", "words"),
    [
        (asked("GET", "/api/v2/caller"), Reply(404, {}), "is not in the description"),
        (asked("PUT", ONE, {}), Reply(200, {}), "is not in the description"),
        (asked("GET", ONE, environment="production"), Reply(404, {}), "unknown 'environment'"),
        (asked("POST", FLAGS, {"key": "new"}), Reply(201, {}), "'name' is a required property"),
        (
            asked("POST", FLAGS, {"key": "new", "name": "New", "kind": "boolean"}),
            Reply(201, {}),
            "'kind' was unexpected",
        ),
        (asked("POST", FLAGS, {"key": "new", "name": "New"}), Reply(200, {}), "is not answered with 200"),
        (patched(kind="turnOn"), Reply(200, {}), "is not valid under any"),
        (patched(kind="turnFlagOn", value=True), Reply(200, {}), "'value' was unexpected"),
        (asked("PATCH", ONE, {"instructions": []}), Reply(200, {}), "should be non-empty"),
        (asked("GET", ONE), Reply(200, {"environments": [{"key": "production"}]}), "is not of type 'object'"),
        (
            asked("GET", ONE),
            Reply(200, {"environments": {"a": {"fallthrough": {"rollout": {"weights": []}}}}}),
            "weights",
        ),
        (asked("GET", ONE), Reply(200, {"environments": {"a": {"on": "true"}}}), "'true' is not of type 'boolean'"),
        (asked("GET", ONE), Reply(404, {"error": "Not found"}), "'error' was unexpected"),
    ],
)
def test_what_launchdarkly_does_not_know_is_found(
    contract: Contract, request_: Request, reply: Reply, words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        assert not contract.faults_of(request_, reply), contract.faults_of(request_, reply)
    assert contract.faults_of(patched(kind="turnFlagOn"), Reply(200, {"key": "new"})) == []
