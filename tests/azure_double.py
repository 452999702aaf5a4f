"""Azure DevOps for one project, as far as the provider speaks with it. Shapes: azure-devops 7.1.0b4."""

from __future__ import annotations

import base64
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from tests.engine_double import Reply, Request

FILE = """
parameters:
  - {name: pilothouse, type: string, default: ""}
  - {name: version, type: string, displayName: What to deploy}
  - {name: dry, type: boolean, default: false}
  - {name: where, type: string, default: staging, values: [staging, production]}
"""
SIGNED_IN = "Basic " + base64.b64encode(b":the-pat").decode()


class Azure:
    """`lost` are answers given in the place of the next ones to a start, after it was taken."""

    def __init__(self) -> None:
        self.builds: dict[int, dict[str, Any]] = {}
        self.started: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        self.logs: dict[str, bytes] = {}
        self.artifact: dict[str, Any] | None = None
        self.lost: list[Reply] = []
        self.next: list[Reply] = []
        self.cancelled: list[int] = []

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("authorization") not in (SIGNED_IN, "Bearer entra"):
            return Reply(203, b"<html>Sign in</html>", {"Content-Type": "text/html"})
        assert request.query["api-version"].startswith("7.1")
        if self.next:
            return self.next.pop(0)
        parts = request.path.strip("/").split("/")
        match parts:
            case ["shop", "_apis", "connectionData"]:
                return Reply(body={"authenticatedUser": {"id": "1", "providerDisplayName": "Deployer"}})
            case ["shop", "_apis", "projects", name] if name.startswith("The"):
                return Reply(body={"id": "9", "name": "The cart"})
            case ["shop", project, "_apis", *rest] if project.startswith("The"):
                return self.project(request, rest)
        return Reply(404, {"message": "TF200016: The following project does not exist."})

    def project(self, request: Request, parts: list[str]) -> Reply:
        match parts:
            case ["pipelines"]:
                one = {"id": 12, "name": "Deploy", "folder": "\\shop", "revision": 1}
                return Reply(body={"count": 2, "value": [one, {**one, "id": 13, "name": "Old"}]})
            case ["build", "definitions"]:
                found = [{"id": 12, "name": "Deploy"}] if request.query["name"] == "Deploy" else []
                return Reply(body={"count": len(found), "value": found})
            case ["build", "definitions", "12"]:
                repository = {"id": "abc", "type": "TfsGit"}
                return Reply(body={"id": 12, "process": {"yamlFilename": "/ci.yml"}, "repository": repository})
            case ["git", "repositories", "abc", "items"]:
                return Reply(body=FILE.encode())
            case ["pipelines", "12", "runs"]:
                return self.start(request)
            case ["pipelines", "12", "runs", _, "artifacts"]:
                assert request.query["$expand"] == "signedContent"
                return Reply(404, {"message": "no artifact"}) if self.artifact is None else Reply(body=self.artifact)
            case ["build", "builds"]:
                assert request.query["definitions"] == "12"
                return Reply(body={"count": len(self.builds), "value": list(self.builds.values())})
            case ["build", "builds", number, *rest] if int(number) in self.builds:
                return self.build(request, self.builds[int(number)], rest)
        return Reply(404, {"message": "The requested build could not be found."})

    def start(self, request: Request) -> Reply:
        body = request.json
        if body.get("templateParameters", {}).get("where") == "nowhere":
            return Reply(400, {"message": "The 'where' parameter value 'nowhere' is not a valid value."})
        self.started.append(body)
        number = 100 + len(self.builds)
        links = {"_links": {"web": {"href": f"https://dev.azure.com/shop/x/_build/results?buildId={number}"}}}
        self.builds[number] = {
            "id": number, "status": "notStarted", "definition": {"id": 12}, "sourceVersion": "4f1c2ab",
            "templateParameters": body["templateParameters"], **links,
        }  # fmt: skip
        if self.lost:
            return self.lost.pop(0)
        return Reply(body={"id": number, "name": "20260101.1", "state": "inProgress", **links})

    def build(self, request: Request, build: dict[str, Any], rest: list[str]) -> Reply:
        match rest:
            case [] if request.method == "PATCH":
                assert request.json == {"status": "cancelling"}
                self.cancelled.append(build["id"])
                build["status"] = "cancelling"
                return Reply(body=build)
            case []:
                return Reply(body=build)
            case ["timeline"]:
                known = [{"id": str(uuid5(NAMESPACE_OID, one["name"])), **one} for one in self.records]
                return Reply(body={"records": known}) if known else Reply(body=b"null")
            case ["logs", log]:
                if log in self.logs:
                    return Reply(body=self.logs[log])
                return Reply(body="".join(f"line {n}\n" for n in range(20_000)).encode() + f"log {log}\n".encode())
        return Reply(404, {"message": "Not found"})

    def finish(self, number: int, result: str, *records: dict[str, Any]) -> None:
        """Bring a run to its end."""
        self.builds[number] |= {"status": "completed", "result": result}
        self.records = list(records)
