"""Harness for one project, as far as the provider speaks with it. Shapes: harness-open-api 2.0.1."""

from __future__ import annotations

import json
from typing import Any

from tests.engine_double import Reply, Request

TEMPLATE = """
pipeline:
  identifier: deploy
  variables:
    - {name: version, type: String, value: <+input>}
    - {name: where, type: String, value: "<+input>.default(staging).allowedValues(staging,production)"}
"""


class Harness:
    """`lost` are answers given in the place of the next ones to a start, after it was taken."""

    def __init__(self) -> None:
        self.executions: dict[str, dict[str, Any]] = {}
        self.notes: dict[str, str] = {}
        self.started: list[Any] = []
        self.nodes: dict[str, Any] = {}
        self.lost: list[Reply] = []
        self.next: list[Reply] = []
        self.aborted: list[str] = []

    def __call__(self, request: Request) -> Reply:
        if request.path == "/gateway/log-service/blob":
            assert request.headers["x-harness-token"] == "log-token"
            assert "x-api-key" not in request.headers
            told = [{"level": "info", "out": f"line {n}\n"} for n in range(2)]
            told.append({"out": f"end of {request.query['key']}"})
            return Reply(body="".join(f"{json.dumps(one)}\n" for one in told).encode())
        if request.headers.get("x-api-key") != "pat.key":
            return Reply(401, {"code": "INVALID_TOKEN", "message": "Token is not valid"})
        assert request.query["accountIdentifier"] == "acc"
        if not request.path.endswith("/notes"):
            assert (request.query["orgIdentifier"], request.query["projectIdentifier"]) == ("default", "shop")
        if self.next:
            return self.next.pop(0)
        if request.path == "/gateway/log-service/token":
            return Reply(body=b"log-token")
        return self.api(request, request.path.removeprefix("/pipeline/api/").split("/"))

    def api(self, request: Request, parts: list[str]) -> Reply:
        match parts:
            case ["pipelines", "list"]:
                found = [{"identifier": "deploy", "name": "Deploy"}]
                return _ok({"content": found, "totalElements": 1})
            case ["inputSets", "template"]:
                return _ok({"inputSetTemplateYaml": TEMPLATE})
            case ["pipeline", "execute", "interrupt", execution]:
                assert request.query["interruptType"] == "AbortAll"
                self.aborted.append(execution)
                self.executions[execution]["status"] = "Aborted"
                return _ok({"id": "1", "type": "AbortAll"})
            case ["pipeline", "execute", "deploy", *_]:
                return self.execute(request)
            case ["pipelines", "execution", "summary"]:
                assert request.query["pipelineIdentifier"] == "deploy"
                return _ok({"content": list(self.executions.values())})
            case ["pipelines", "execution", execution, "notes"]:
                return _ok({"notes": self.notes[execution]})
            case ["pipelines", "execution", "v2", execution]:
                if execution not in self.executions:
                    message = "Plan Execution Summary does not exist or has been deleted for given planExecutionId"
                    return Reply(400, {"status": "ERROR", "code": "INVALID_REQUEST", "message": message})
                graph = {"executionGraph": {"nodeMap": self.nodes}} if "renderFullBottomGraph" in request.query else {}
                return _ok({"pipelineExecutionSummary": self.executions[execution], **graph})
        return Reply(400, {"status": "ERROR", "message": f"Pipeline [{parts[-1]}] under Project[shop] doesn't exist"})

    def execute(self, request: Request) -> Reply:
        self.started.append((request.path.rpartition("/")[2], json.loads(request.body or b"null")))
        number = f"exec{len(self.executions)}"
        self.executions[number] = {
            "planExecutionId": number, "status": "Running", "notesExistForPlanExecutionId": True,
            "startTs": 4_000_000_000_000,
        }  # fmt: skip
        self.notes[number] = request.query["notesForPipelineExecution"]
        return self.lost.pop(0) if self.lost else _ok({"planExecution": {"uuid": number, "status": "RUNNING"}})


def _ok(data: Any) -> Reply:
    return Reply(body={"status": "SUCCESS", "data": data, "metaData": None, "correlationId": "1"})
