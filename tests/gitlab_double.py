"""GitLab's API for one project, as far as the provider speaks with it. Shapes: lib/api of gitlabhq/gitlabhq."""

from __future__ import annotations

import re
from typing import Any

from tests.engine_double import Reply, Request

FILE = """
spec:
  inputs:
    where: {options: [staging, production], default: staging}
    dry: {type: boolean, default: false, description: Only say what would be done}
    version: {}
---
variables:
  VERSION: {value: "1.0", description: What to deploy}
  WHERE: {value: staging, options: [staging, production], description: Where to}
  QUIET: "1"
job:
  script: !reference [.setup, script]
"""
API = "/api/v4"
PROJECT = f"{API}/projects/shop%2Fcart"


def job(number: int, name: str, status: str, **more: Any) -> dict[str, Any]:
    """A job as the API shows it; `artifacts_file` and `failure_reason` are there only if it has them."""
    moments = {"started_at": "2026-11-27T10:00:00Z", "finished_at": f"2026-11-27T10:00:{number:02}Z"}
    return {"id": number, "name": name, "status": status, "allow_failure": False, **moments, **more}  # fmt: skip


class GitLab:
    """`names` is what workflow:name shows, `shows_variables` whether we may read a pipeline's variables."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Request] = []
        self.names, self.shows_variables = False, True
        self.made: dict[int, dict[str, Any]] = {}
        self.variables: dict[int, list[dict[str, str]]] = {}
        self.jobs: dict[int, list[dict[str, Any]]] = {}
        self.artifacts: dict[str, bytes] = {}
        self.traces: dict[int, bytes] = {}
        self.sent: list[dict[str, Any]] = []
        self.cancelled: list[int] = []
        self.lost: list[Reply] = []
        self.next: list[Reply] = []

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("private-token") != "gl-token":
            return Reply(401, {"message": "401 Unauthorized"})
        if self.next:
            return self.next.pop(0)
        if request.path == f"{API}/user":
            return Reply(body={"id": 1, "username": "tanuki", "name": "Tanuki"})
        if request.path == f"{API}/projects":
            assert request.query["membership"] == "true"
            return Reply(body=[self.project(), {**self.project(), "builds_access_level": "disabled"}])
        if not request.path.startswith(PROJECT):
            return Reply(404, {"message": "404 Project Not Found"})
        return self.of_project(request, request.path.removeprefix(PROJECT))

    def project(self) -> dict[str, Any]:
        """The project."""
        return {"id": 7, "path_with_namespace": "shop/cart", "name_with_namespace": "Shop / Cart",
                "default_branch": "trunk", "ci_config_path": None, "web_url": "https://gitlab.com/shop/cart",
                "builds_access_level": "enabled"}  # fmt: skip

    def of_project(self, request: Request, path: str) -> Reply:
        """Answers what is asked of the project."""
        if path == "":
            return Reply(body=self.project())
        if path == "/pipeline":
            return self.make(request)
        if path == "/repository/files/.gitlab-ci.yml/raw":
            return Reply(body=FILE.encode())
        if path == "/pipelines":
            assert request.query["source"] == "api"
            return Reply(body=list(self.made.values()))
        if found := re.fullmatch(r"/pipelines/(\d+)(/\w+)?", path):
            return self.pipeline(request, int(found[1]), found[2] or "")
        if found := re.fullmatch(r"/jobs/(\d+)/trace", path):
            text = "".join(f"line {n}\n" for n in range(20_000))
            return Reply(body=self.traces.get(int(found[1]), f"{text}log of {found[1]}\n".encode()))
        if path in self.artifacts:
            return Reply(body=self.artifacts[path])
        return Reply(404, {"message": "404 Not found"})

    def make(self, request: Request) -> Reply:
        """Creates a pipeline."""
        body = request.json
        if body["ref"] == "nowhere":
            return Reply(400, {"message": {"base": ["Reference not found"]}})
        self.sent.append(body)
        number = 100 + len(self.made)
        given = body.get("variables") or [{"key": key, "value": value} for key, value in body["inputs"].items()]
        name = "Deploy " + " ".join(str(one["value"]) for one in given) if self.names else None
        self.variables[number] = body.get("variables", [])
        self.made[number] = {"id": number, "iid": 1, "status": "created", "source": "api", "sha": "4f1c2ab",
                             "name": name, "web_url": f"https://gitlab.com/shop/cart/-/pipelines/{number}"}  # fmt: skip
        return self.lost.pop(0) if self.lost else Reply(201, self.made[number])

    def pipeline(self, request: Request, number: int, part: str) -> Reply:
        """Answers what is asked of a pipeline."""
        if number not in self.made:
            return Reply(404, {"message": "404 Not found"})
        if part == "":
            return Reply(body=self.made[number])
        if part == "/jobs":
            assert request.query["include_retried"] == "true"
            size, page = int(request.query["per_page"]), int(request.query["page"])
            return Reply(body=self.jobs.get(number, [])[size * (page - 1) : size * page])
        if part == "/variables":
            return Reply(body=self.variables[number]) if self.shows_variables else Reply(403, {"message": "403"})
        assert (request.method, part) == ("POST", "/cancel")
        self.cancelled.append(number)
        return Reply(200, self.made[number])

    def finish(self, number: int, status: str, *jobs: dict[str, Any]) -> None:
        """Bring a pipeline to its end."""
        self.made[number]["status"] = status
        self.jobs[number] = list(jobs)
