"""GitHub's API for one repository, as far as the provider speaks with it. Shapes: @octokit/openapi 23.0.2."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import Any

from tests.engine_double import Reply, Request

WORKFLOW = """
name: Deploy
run-name: Deploy ${{ inputs.pilothouse }}
on:
  workflow_dispatch:
    inputs:
      pilothouse: {type: string}
      version: {type: string, required: true, description: What to deploy}
      dry: {type: boolean, default: false}
      where: {type: choice, options: [staging, production], default: staging}
"""


def archive(**files: bytes) -> bytes:
    """A zip archive of files; a double underscore in a name stands for its dot."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as writing:
        for name, content in files.items():
            writing.writestr(name.replace("__", "."), content)
    return made.getvalue()


class GitHub:
    """`tells_run` is whether a dispatch answers with the run, `is_old` whether it knows that it could."""

    def __init__(self, storage: str = "") -> None:
        self.storage = storage
        self.tells_run, self.is_old, self.shows_key = True, False, True
        self.runs: dict[int, dict[str, Any]] = {}
        self.dispatched: list[dict[str, Any]] = []
        self.cancelled: list[int] = []
        self.artifacts: dict[int, bytes] = {}
        self.jobs: dict[int, list[dict[str, Any]]] = {}
        self.lost: list[Reply] = []
        self.not_modified = 0

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("authorization") != "Bearer gh-token":
            return Reply(401, {"message": "Bad credentials"})
        path = request.path
        if path == "/user":
            return Reply(body={"login": "octocat", "id": 1})
        if not path.startswith("/repos/shop/cart"):
            return Reply(404, {"message": "Not Found"})
        return self.repository(request, path.removeprefix("/repos/shop/cart").strip("/").split("/"))

    def repository(self, request: Request, parts: list[str]) -> Reply:
        match parts:
            case [""]:
                permissions = {"push": True}
                return Reply(body={"full_name": "shop/cart", "default_branch": "trunk", "permissions": permissions})
            case ["actions", "workflows"]:
                return Reply(
                    body={
                        "total_count": 2,
                        "workflows": [self.workflow("deploy"), self.workflow("old", "disabled_manually")],
                    }
                )
            case ["actions", "workflows", "deploy.yml"]:
                return Reply(body=self.workflow("deploy"))
            case ["contents", ".github", "workflows", "deploy.yml"]:
                content = base64.encodebytes(WORKFLOW.encode()).decode()
                return Reply(body={"encoding": "base64", "content": content})
            case ["actions", "workflows", "deploy.yml", "dispatches"]:
                return self.dispatch(request)
            case ["actions", "workflows", "deploy.yml", "runs"]:
                assert request.query["event"] == "workflow_dispatch"
                assert request.query["created"].startswith(">=")
                return Reply(body={"total_count": len(self.runs), "workflow_runs": list(self.runs.values())})
            case ["actions", "runs", run, *rest] if int(run) in self.runs:
                return self.run(request, int(run), rest)
            case ["actions", "jobs", job, "logs"]:
                return Reply(302, headers={"Location": f"{self.storage}/logs/{job}?sig=abc"})
            case ["actions", "artifacts", artifact, "zip"]:
                return Reply(302, headers={"Location": f"{self.storage}/artifacts/{artifact}?sig=abc"})
        return Reply(404, {"message": "Not Found", "documentation_url": "https://docs.github.com"})

    def workflow(self, name: str, state: str = "active") -> dict[str, Any]:
        path = f".github/workflows/{name}.yml"
        return {"id": 1, "name": name.title(), "path": path, "state": state, "html_url": f"https://github.com/{name}"}

    def dispatch(self, request: Request) -> Reply:
        body = request.json
        if self.is_old and "return_run_details" in body:
            return Reply(422, {"message": 'Invalid request.\n\n"return_run_details" is not a permitted key.'})
        if body["ref"] == "nowhere":
            return Reply(422, {"message": "No ref found for: nowhere"})
        self.dispatched.append(body)
        number = 100 + len(self.runs)
        title = f"Deploy {body['inputs'].get('pilothouse', '')}" if self.shows_key else "Deploy"
        self.runs[number] = {
            "id": number, "status": "queued", "conclusion": None, "display_title": title, "name": "Deploy",
            "html_url": f"https://github.com/shop/cart/actions/runs/{number}", "head_sha": "4f1c2ab",
        }  # fmt: skip
        if self.lost:
            return self.lost.pop(0)
        if not self.tells_run or self.is_old:
            return Reply(204)
        link = self.runs[number]["html_url"]
        return Reply(200, {"workflow_run_id": number, "run_url": "https://api.github.com/x", "html_url": link})

    def run(self, request: Request, number: int, rest: list[str]) -> Reply:
        match rest:
            case []:
                tag = f'"{json.dumps(self.runs[number])}"'.replace(" ", "")[:60] + self.runs[number]["status"] + '"'
                if request.headers.get("if-none-match") == tag:
                    self.not_modified += 1
                    return Reply(304, headers={"ETag": tag})
                return Reply(body=self.runs[number], headers={"ETag": tag})
            case ["jobs"]:
                return Reply(body={"total_count": 1, "jobs": self.jobs.get(number, [])})
            case ["artifacts"]:
                found = [
                    {"id": one, "name": "pilothouse-outputs", "expired": False, "size_in_bytes": len(content)}
                    for one, content in self.artifacts.items()
                ]
                return Reply(body={"total_count": len(found), "artifacts": found})
            case ["cancel"]:
                if self.runs[number]["status"] == "completed":
                    return Reply(409, {"message": "Cannot cancel a workflow run that is completed."})
                self.cancelled.append(number)
                return Reply(202, {})
        return Reply(404, {"message": "Not Found"})

    def finish(self, number: int, conclusion: str, *jobs: dict[str, Any]) -> None:
        """Bring a run to its end."""
        self.runs[number] |= {"status": "completed", "conclusion": conclusion}
        self.jobs[number] = list(jobs)


def storage(github: GitHub) -> Any:
    """Where GitHub keeps logs and artifacts: another site, which takes no token."""

    def answer(request: Request) -> Reply:
        assert "authorization" not in request.headers
        assert request.query == {"sig": "abc"}
        kind, number = request.path.strip("/").split("/")
        if kind == "logs":
            return Reply(body="".join(f"line {n}\n" for n in range(20_000)).encode() + f"log of {number}\n".encode())
        return Reply(body=github.artifacts[int(number)])

    return answer
