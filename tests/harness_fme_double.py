"""Split's Admin API v2 as far as the provider speaks with it. Shapes: docs.split.io and Split's Python client."""

from __future__ import annotations

from typing import Any

from tests.engine_double import Reply, Request
from tests.flag_double import FlagDouble, Known

API = "/internal/api/v2"


class HarnessDouble(FlagDouble):
    """One workspace with the environment `production`, by its name. It may want a comment for each change."""

    def __init__(self) -> None:
        super().__init__()
        self.flags: dict[str, dict[str, Any]] = {}
        self.definitions: dict[str, dict[str, Any]] = {}
        self.wants_comments = False

    def settings(self) -> dict[str, Any]:
        page = "https://app.harness.io/fme/splits/{id}?env={environment}"
        return {"url": self.url, "workspace": "ws-1", "environment": "production", "page": page}

    def answer(self, request: Request) -> Reply:
        if request.path == f"{API}/environments/ws/ws-1":
            return Reply(body=[{"id": "e-1", "name": "production"}, {"id": "e-2", "name": "staging"}])
        match request.path.removeprefix(f"{API}/splits/ws/ws-1/").split("/"):
            case ["trafficTypes", "user"]:
                return self.create(request.json)
            case [name] if name in self.flags:
                return Reply(body=self.flags[name])
            case [name, "environments", "production"] if name in self.flags:
                return self.define(name, request)
        return Reply(404, {"code": 404, "message": "Not found", "details": "", "transactionId": "t"})

    def create(self, body: dict[str, Any]) -> Reply:
        if body["name"] in self.flags:
            return Reply(400, {"code": 400, "message": "A feature flag with this name already exists"})
        self.flags[body["name"]] = {"id": "f-1", "trafficType": {"id": "t", "name": "user"}, **body}
        return Reply(body=self.flags[body["name"]])

    def define(self, name: str, request: Request) -> Reply:
        if request.method == "POST":
            self.definitions[name] = {"name": name, "killed": False, "trafficAllocation": 100, **request.json}
        found = self.definitions.get(name)
        if found is None:
            return Reply(404, {"code": 404, "message": "Feature flag is not configured in the environment"})
        if request.method == "PATCH":
            if self.wants_comments and not {"title", "comment"} <= request.query.keys():
                return Reply(400)
            for change in request.json:
                assert change["op"] == "replace"
                found[change["path"].removeprefix("/")] = change["value"]
        assert sum(one["size"] for one in found["defaultRule"]) == 100
        return Reply(body=found)

    def stands(self) -> Known | None:
        if "new-checkout" not in self.flags:
            return None
        found = self.definitions.get("new-checkout")
        if found is None:
            return False, None
        return not found["killed"], {one["treatment"]: one["size"] for one in found["defaultRule"]}.get("on", 0)

    def vanish(self) -> None:
        self.flags.clear()
