"""Unleash's admin API as far as the provider speaks with it. Shapes: what Unleash 7.5.1 answered."""

from __future__ import annotations

from typing import Any

from tests.engine_double import Reply, Request
from tests.flag_double import FlagDouble, Known

FEATURES = "/api/admin/projects/default/features"


class UnleashDouble(FlagDouble):
    """One project with the environment `production`; `archived` are names that are taken by archived flags."""

    def __init__(self) -> None:
        super().__init__()
        self.features: dict[str, dict[str, Any]] = {}
        self.archived: set[str] = set()

    def settings(self) -> dict[str, Any]:
        return {"url": self.url, "environment": "production"}

    def answer(self, request: Request) -> Reply:
        if request.path == "/api/admin/user":
            return Reply(body={"user": {"username": "deployer", "permissions": ["ADMIN"]}, "permissions": []})
        if request.path == "/api/admin/environments/project/default":
            return Reply(body={"version": 1, "environments": [{"name": "development"}, {"name": "production"}]})
        if request.path == FEATURES and request.method == "POST":
            return self.create(request.json)
        name, _, rest = request.path.removeprefix(f"{FEATURES}/").partition("/")
        feature = self.features.get(name)
        if feature is None:
            return Reply(404, {"name": "NotFoundError", "message": f"There's no feature named {name}"})
        if not rest:
            here = {"name": "production", "enabled": feature["enabled"], "strategies": feature["strategies"]}
            told = {key: feature[key] for key in ("name", "type", "description")}
            return Reply(body={**told, "environments": [{"name": "development", "enabled": False}, here]})
        if not rest.startswith("environments/production"):
            return Reply(404, {"name": "NotFoundError", "message": f"Could not find {name} in that environment"})
        return self.change(feature, request, rest.removeprefix("environments/production").strip("/").split("/"))

    def create(self, body: dict[str, Any]) -> Reply:
        if body["name"] in self.features or body["name"] in self.archived:
            return Reply(409, {"name": "NameExistsError", "message": "A flag with that name already exists"})
        self.features[body["name"]] = {"description": "", **body, "enabled": False, "strategies": []}
        return Reply(201, {**body, "archived": False})

    def change(self, feature: dict[str, Any], request: Request, parts: list[str]) -> Reply:
        strategies: list[dict[str, Any]] = feature["strategies"]
        match parts:
            case [""]:
                known = [{key: one[key] for key in one if key != "segments"} for one in strategies]
                return Reply(body={"name": feature["name"], "enabled": feature["enabled"], "strategies": known})
            case [("on" | "off") as state]:
                feature["enabled"] = state == "on"
                return Reply(200)
            case ["strategies"]:
                strategies.append({"id": f"s{len(strategies)}", "constraints": [], "disabled": False, **request.json})
                return Reply(body=strategies[-1])
            case ["strategies", strategy]:
                return self.patch(next(one for one in strategies if one["id"] == strategy), request.json)
        return Reply(404, {"message": "The path you were looking for is not available."})

    def patch(self, strategy: dict[str, Any], changes: list[dict[str, Any]]) -> Reply:
        for change in changes:
            name = change["path"].removeprefix("/parameters/")
            if change["op"] == "test" and strategy["parameters"][name] != change["value"]:
                return Reply(500, {"name": "UnknownError", "message": "Test operation failed"})
            strategy["parameters"][name] = change["value"]
        return Reply(body=strategy)

    def stands(self) -> Known | None:
        feature = self.features.get("new-checkout")
        if feature is None:
            return None
        for_all = [one for one in feature["strategies"] if not (one["constraints"] or one.get("segments"))]
        return feature["enabled"], float(for_all[0]["parameters"]["rollout"]) if for_all else None

    def vanish(self) -> None:
        self.features.clear()
