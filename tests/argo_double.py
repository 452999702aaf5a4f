"""The server of Argo Workflows, as far as the provider speaks with it. Shapes: argo-workflows 6.7.18."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from tests.engine_double import Reply, Request

ARGUMENTS = [
    {"name": "version", "description": "What to deploy"},
    {"name": "where", "value": "staging", "enum": ["staging", "production"]},
]


class Argo:
    """`lost` are answers given in the place of the next ones to a submit, after it was taken."""

    def __init__(self) -> None:
        self.workflows: dict[str, dict[str, Any]] = {}
        self.submitted: list[dict[str, Any]] = []
        self.lost: list[Reply] = []
        self.next: list[Reply] = []
        self.ended: list[str] = []
        self.conflict = 409
        self.date = "Fri, 27 Nov 2026 10:00:10 GMT"
        self.lines: list[tuple[str, str, str]] = []

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("authorization") != "Bearer argo-token":
            return Reply(401, {"code": 16, "message": "token not valid"})
        if self.next:
            return self.next.pop(0)
        template = {"metadata": {"name": "deploy", "annotations": {"workflows.argoproj.io/description": "To the shop"}}}
        match request.path.removeprefix("/api/v1/").split("/"):
            case ["userinfo"]:
                return Reply(body={"subject": "system:serviceaccount:argo:us", "serviceAccountName": "us"})
            case ["workflow-templates", "argo"]:
                return Reply(body={"metadata": {}, "items": [template]})
            case ["workflow-templates", "argo", "deploy"]:
                return Reply(body={**template, "spec": {"arguments": {"parameters": ARGUMENTS}}})
            case ["cluster-workflow-templates"]:
                return Reply(body={"metadata": {}, "items": None})
            case ["workflows", "argo", "submit"]:
                return self.submit(request)
            case ["workflows", "argo", name, *rest] if name in self.workflows:
                return self.workflow(request, self.workflows[name], rest)
        return Reply(404, {"code": 5, "message": "not found"})

    def submit(self, request: Request) -> Reply:
        body = request.json
        name = body["submitOptions"]["name"]
        if body["resourceName"] != "deploy":
            return Reply(404, {"code": 5, "message": f'workflowtemplates "{body["resourceName"]}" not found'})
        if name in self.workflows:
            return Reply(self.conflict, {"message": f'workflows.argoproj.io "{name}" already exists'})
        self.submitted.append(body)
        self.workflows[name] = {"metadata": {"name": name}, "status": {}}
        return self.lost.pop(0) if self.lost else Reply(body=self.workflows[name])

    def workflow(self, request: Request, workflow: dict[str, Any], rest: list[str]) -> Reply:
        match rest:
            case []:
                brief = {name: workflow["status"][name] for name in ("phase", "message") if name in workflow["status"]}
                return Reply(body={**workflow, "status": brief} if "fields" in request.query else workflow)
            case ["log"] if "logOptions.timestamps" in request.query:
                since = int(request.query.get("logOptions.sinceTime.seconds", 0))
                new = [one for one in sorted(self.lines) if datetime.fromisoformat(one[0]).timestamp() >= since]
                told = [{"result": {"content": f"{at} {content}", "podName": pod}} for at, pod, content in new]
                body = "".join(f"{json.dumps(one)}\n" for one in [*told, {"error": {}}]).encode()
                return Reply(body=body, headers={"Date": self.date})
            case ["log"]:
                lines = [("wf-build-11", "other"), ("wf-test-22", "line 1"), ("wf-test-22", "line 2")]
                told = [{"result": {"content": content, "podName": pod}} for pod, content in lines]
                return Reply(body="".join(f"{json.dumps(one)}\n" for one in [*told, {"error": {}}]).encode())
            case ["stop" | "terminate" as way] if request.method == "PUT":
                self.ended.append(way)
                workflow["status"] = {"phase": "Failed", "message": f"Stopped with strategy '{way.title()}'"}
                return Reply(body=workflow)
        return Reply(404, {"code": 5, "message": "not found"})
