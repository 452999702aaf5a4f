"""Airflow's API v2 as far as the provider speaks with it. Shapes: airflow-core's routes and datamodels (3.x)."""

from __future__ import annotations

import json
from typing import Any

from tests.engine_double import Reply, Request

PARAMS = {
    "version": {"value": None, "description": "What to deploy", "schema": {"type": "string"}},
    "replicas": {"value": 2, "description": None, "schema": {"type": "integer"}},
    "dry": {"value": False, "description": None, "schema": {"type": "boolean"}},
    "where": {"value": "staging", "description": None, "schema": {"type": "string", "enum": ["staging", "prod"]}},
}

RAISED = [
    {
        "exc_type": "RuntimeError", "exc_value": "no build", "exc_notes": [], "is_cause": False,
        "frames": [{"filename": "shop.py", "lineno": 9, "name": "build"}],
    },
    {"exc_type": "OSError", "exc_value": "no disk", "exc_notes": [], "is_cause": True, "frames": []},
]  # fmt: skip


class Airflow:
    """`lost` are answers given in the place of the next ones to a trigger, after it was taken."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.tasks: list[dict[str, Any]] = []
        self.xcom: Any = None
        self.xcom_status = 404
        self.lost: list[Reply] = []
        self.next: list[Reply] = []
        self.paused = False
        self.logs: dict[str, list[dict[str, Any]]] = {}
        self.earlier: dict[str, list[dict[str, Any]]] = {}
        self.signed_in = 0

    def __call__(self, request: Request) -> Reply:
        if request.path == "/auth/token":
            if request.json != {"username": "deployer", "password": "pass-word"}:
                return Reply(401, {"detail": "Invalid credentials pass-word"})
            self.signed_in += 1
            return Reply(201, {"access_token": "jwt-token"})
        if request.headers.get("authorization") != "Bearer jwt-token":
            return Reply(401, {"detail": "Invalid JWT token"})
        if self.next:
            return self.next.pop(0)
        return self.api(request, request.path.removeprefix("/api/v2/").split("/"))

    def api(self, request: Request, parts: list[str]) -> Reply:
        match parts:
            case ["version"]:
                return Reply(body={"version": "3.1.0", "git_version": None})
            case ["dags"]:
                one = {"dag_id": "deploy_shop", "dag_display_name": "Deploy the shop", "is_paused": False}
                return Reply(body={"dags": [one, {**one, "dag_id": "other"}], "total_entries": 2})
            case ["dags", "deploy_shop", "details"]:
                return Reply(body={"dag_id": "deploy_shop", "is_paused": self.paused, "params": PARAMS})
            case ["dags", "deploy_shop", "dagRuns"]:
                return self.trigger(request)
            case ["dags", "deploy_shop", "dagRuns", run, *rest] if run in self.runs:
                return self.run(request, self.runs[run], rest)
        return Reply(404, {"detail": "The DagRun was not found"})

    def trigger(self, request: Request) -> Reply:
        body = request.json
        assert body["logical_date"] is None
        if body["dag_run_id"] in self.runs:
            return Reply(409, {"detail": {"reason": "Unique constraint violation", "statement": "hidden"}})
        if body["conf"].get("where") == "nowhere":
            return Reply(400, {"detail": "Invalid input for param where: 'nowhere' is not one of ['staging', 'prod']"})
        self.runs[body["dag_run_id"]] = {**body, "dag_id": "deploy_shop", "state": "queued"}
        return self.lost.pop(0) if self.lost else Reply(body=self.runs[body["dag_run_id"]])

    def run(self, request: Request, run: dict[str, Any], rest: list[str]) -> Reply:
        match rest:
            case [] if request.method == "PATCH":
                run |= request.json
                return Reply(body=run)
            case []:
                return Reply(body=run)
            case ["taskInstances"]:
                return Reply(body={"task_instances": self.tasks, "total_entries": len(self.tasks)})
            case ["taskInstances", task, "logs", tried]:
                assert request.headers["accept"] == "application/x-ndjson"
                assert request.query["map_index"] == "-1"
                if f"{task} {tried}" in self.logs:
                    return Reply(body="".join(f"{json.dumps(one)}\n" for one in self.logs[f"{task} {tried}"]).encode())
                told: list[dict[str, Any]] = [{"timestamp": None, "event": f"line {n}"} for n in range(3_000)]
                if task == "build":
                    told.append({"event": "Task failed with exception", "error_detail": RAISED})
                told.append({"event": f"end of {task} {tried}"})
                return Reply(body="".join(f"{json.dumps(one)}\n" for one in told).encode())
            case ["taskInstances", task, "tries"]:
                return Reply(body={"task_instances": self.earlier[task], "total_entries": 1})
            case ["taskInstances", _, "xcomEntries", "return_value"]:
                assert request.query["include_prior_dates"] == "false"
                if self.xcom_status != 200:
                    return Reply(self.xcom_status, {"detail": "XCom entry with key: `return_value` not found"})
                return Reply(body={"key": "return_value", "value": self.xcom})
        return Reply(404, {"detail": "Not Found"})

    def finish(self, state: str, *tasks: tuple[str, str]) -> None:
        """Bring the only run to its end."""
        next(iter(self.runs.values()))["state"] = state
        self.tasks = [
            {"task_id": name, "state": ended, "try_number": 2, "map_index": -1, "end_date": f"2026-01-0{n + 1}"}
            for n, (name, ended) in enumerate(tasks)
        ]
