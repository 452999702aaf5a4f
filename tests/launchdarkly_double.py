"""LaunchDarkly's API v2 as far as the provider speaks with it. Shapes: launchdarkly-api 25.0.1."""

from __future__ import annotations

from typing import Any

from tests.engine_double import Reply, Request
from tests.flag_double import FlagDouble, Known

FLAGS = "/api/v2/flags/default"
SEMANTIC = "application/json; domain-model=launchdarkly.semanticpatch"


class LaunchDarklyDouble(FlagDouble):
    """One project with the environment `production`; with `guarded` it wants approvals, `busy` answers conflict."""

    def __init__(self) -> None:
        super().__init__()
        self.flags: dict[str, dict[str, Any]] = {}
        self.guarded = False
        self.busy = 0

    def settings(self) -> dict[str, Any]:
        return {"url": self.url, "environment": "production"}

    def answer(self, request: Request) -> Reply:
        assert request.headers["ld-api-version"] == "20240415"
        if request.path == "/api/v2/caller-identity":
            return Reply(body={"accountId": "a1", "tokenName": "Releases", "tokenKind": "auth", "serviceToken": True})
        if request.path == "/api/v2/projects/default/environments/production":
            return Reply(body={"key": "production", "name": "Production"})
        if request.path == FLAGS and request.method == "POST":
            return self.create(request.json)
        flag = self.flags.get(request.path.removeprefix(f"{FLAGS}/"))
        if flag is None:
            return Reply(404, {"code": "not_found", "message": "Unknown feature flag key"})
        if request.method == "PATCH":
            return self.patch(flag, request)
        wanted = request.query["env"]
        here = {name: one for name, one in flag["environments"].items() if name == wanted}
        return Reply(body={**flag, "environments": here})

    def create(self, body: dict[str, Any]) -> Reply:
        if body["key"] in self.flags:
            return Reply(409, {"code": "conflict", "message": "The request conflicts with an existing flag"})
        variations = [{"_id": "v-true", "value": True}, {"_id": "v-false", "value": False}]
        here = {"on": False, "targets": [], "rules": [], "prerequisites": [], "offVariation": 1, "version": 1,
                "fallthrough": {"variation": 0}}  # fmt: skip
        self.flags[body["key"]] = {"kind": "boolean", "archived": False, "variations": variations, **body,
                                   "environments": {"production": here}}  # fmt: skip
        return Reply(201, self.flags[body["key"]])

    def patch(self, flag: dict[str, Any], request: Request) -> Reply:
        assert request.headers["content-type"] == SEMANTIC
        if self.guarded:
            return Reply(405, {"code": "method_not_allowed", "message": "Approval is required"})
        if self.busy:
            self.busy -= 1
            return Reply(409, {"code": "optimistic_locking_error", "message": "Somebody was faster"})
        here = flag["environments"][request.json["environmentKey"]]
        for one in request.json["instructions"]:
            if one["kind"] == "updateFallthroughVariationOrRollout":
                here["fallthrough"] = fallthrough(one)
            else:
                here["on"] = {"turnFlagOn": True, "turnFlagOff": False}[one["kind"]]
        here["version"] += 1
        return Reply(body=flag)

    def stands(self) -> Known | None:
        flag = self.flags.get("new-checkout")
        if flag is None:
            return None
        here = flag["environments"]["production"]
        rule = here["fallthrough"]
        if "variation" in rule:
            return here["on"], 100 if rule["variation"] == 0 else 0
        return here["on"], rule["rollout"]["variations"][0]["weight"] / 1000

    def vanish(self) -> None:
        self.flags.clear()


def fallthrough(one: dict[str, Any]) -> dict[str, Any]:
    """The default rule that an instruction makes."""
    if "variationId" in one:
        return {"variation": ["v-true", "v-false"].index(one["variationId"])}
    weights = one["rolloutWeights"]
    assert sum(weights.values()) == 100_000
    found = [{"variation": n, "weight": weights[name]} for n, name in enumerate(("v-true", "v-false"))]
    bucket = {"bucketBy": one["rolloutBucketBy"]} if "rolloutBucketBy" in one else {}
    return {"rollout": {"variations": found, "contextKind": one.get("rolloutContextKind", "user"), **bucket}}
