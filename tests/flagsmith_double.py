"""Flagsmith's admin API as far as the provider speaks with it.

Shapes: `openapi.yaml` and `api/features/future` of Flagsmith/flagsmith at 1ad8487ba7aa (2026); no package has them.
"""

from __future__ import annotations

import re
from typing import Any

from tests.engine_double import Reply, Request
from tests.flag_double import FlagDouble, Known

V1 = "/api/v1/projects/7"


class FlagsmithDouble(FlagDouble):
    """Project 7 with one environment, whose key is `production`."""

    def __init__(self) -> None:
        super().__init__()
        self.features: list[dict[str, Any]] = []
        self.segments: list[dict[str, Any]] = []
        self.states: dict[int, dict[str, Any]] = {}

    def settings(self) -> dict[str, Any]:
        return {"url": self.url, "project": 7, "environment": "production"}

    def answer(self, request: Request) -> Reply:
        if request.path == "/api/v1/environments/":
            return Reply(body={"count": 1, "next": None, "results": [{"api_key": "production", "name": "Production"}]})
        if request.path == f"{V1}/":
            return Reply(body={"id": 7, "name": "Shop"})
        if request.path == f"{V1}/features/":
            return self.feature(request)
        if request.path.startswith(f"{V1}/segments/"):
            return self.segment(request)
        place = re.fullmatch(r"/api/__future__/environments/production/features/(\d+)/", request.path)
        state = self.states.get(int(place[1])) if place else None
        if state is None:
            return Reply(404, {"detail": "Not found."})
        return Reply(body=state) if request.method == "GET" else self.patch(state, request.json)

    def feature(self, request: Request) -> Reply:
        if request.method == "GET":
            return listed([one for one in self.features if request.query["search"] in one["name"]])
        if any(one["name"] == request.json["name"] for one in self.features):
            return Reply(400, {"name": ["Feature with that name already exists for this project."]})
        self.features.append({"id": 100 + len(self.features), "type": "STANDARD", **request.json})
        default = {"enabled": request.json["default_enabled"], "value": {"type": "string", "value": ""}, "variants": []}
        self.states[self.features[-1]["id"]] = {"environment_default": default, "segment_overrides": []}
        return Reply(201, self.features[-1])

    def segment(self, request: Request) -> Reply:
        if request.method == "GET":
            return listed([one for one in self.segments if request.query["q"] in one["name"]])
        condition = request.json["rules"][0]["rules"][0]["conditions"][0]
        assert condition["property"] == "$.identity.key"
        if request.method == "POST":
            self.segments.append({"id": 500 + len(self.segments), **request.json})
            return Reply(201, self.segments[-1])
        found = next(one for one in self.segments if request.path == f"{V1}/segments/{one['id']}/")
        found |= request.json
        return Reply(body=found)

    def patch(self, state: dict[str, Any], body: dict[str, Any]) -> Reply:
        state["environment_default"] |= body.get("environment_default", {})
        overrides: list[dict[str, Any]] = state["segment_overrides"]
        for change in body.get("segment_overrides", []):
            known = next((one for one in overrides if one["segment"] == change["segment"]), None)
            if known is None:
                if any(one["priority"] == change["priority"] for one in overrides):
                    return Reply(400, {"detail": f"Duplicate priority: {change['priority']}."})
                overrides.append({**state["environment_default"], **change})
            else:
                known |= change
        return Reply(body=state)

    def stands(self) -> Known | None:
        if not self.features:
            return None
        state = self.states[self.features[0]["id"]]
        if state["environment_default"]["enabled"]:
            return True, 100
        ids = {one["id"]: one for one in self.segments}
        for one in state["segment_overrides"]:
            if one["segment"]["id"] in ids:
                rules = ids[one["segment"]["id"]]["rules"][0]["rules"]
                return one["enabled"], float(rules[0]["conditions"][0]["value"])
        return False, None

    def vanish(self) -> None:
        self.features.clear()


def listed(found: list[dict[str, Any]]) -> Reply:
    """A page of a list."""
    return Reply(body={"count": len(found), "next": None, "previous": None, "results": found})
