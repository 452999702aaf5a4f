"""GitHub's and GitLab's APIs for files, and a relay proxy. Shapes: their documentation and the relay proxy's source."""

from __future__ import annotations

import base64
from typing import Any

from activities.providers.flag_files import flags_in
from tests.engine_double import Reply, Request
from tests.flag_double import SECRET, FlagDouble, Known

FIRST = """# Flags of the shop; ask the platform team.
cart-v2:
  variations:
    yes: true   # the new one
    no: false
  defaultRule:
    variation: no

# the last line is kept, too
"""


class GoffDouble(FlagDouble):
    """A file in a repository, and a relay proxy that serves what it read; `lag` is how often it is asked in vain."""

    host = "github"

    def __init__(self) -> None:
        super().__init__()
        self.text, self.version, self.lag = FIRST, 1, 0
        self.busy = 0
        self.commits: list[dict[str, Any]] = []
        self.served: dict[str, Any] = {}

    def settings(self) -> dict[str, Any]:
        return {"host": self.host, "url": self.url, "repository": "shop/flags", "path": "flags/{environment}.yaml",
                "environment": "production", "relay": self.url, "relay_key": SECRET}  # fmt: skip

    def is_known(self, request: Request) -> bool:
        return any(
            SECRET in request.headers.get(name, "") for name in ("authorization", "private-token", "x-api-key")
        ) or (request.path == "/health")

    def only_asks(self, request: Request) -> bool:
        return request.method == "POST"

    def answer(self, request: Request) -> Reply:
        if request.path == "/health":
            return Reply(body={"initialized": True})
        if request.path == "/v1/flag/configuration":
            if self.lag:
                self.lag -= 1
            else:
                self.served = flags_in(self.text)
            wanted = request.json["flags"]
            return Reply(body={"flags": {name: one for name, one in self.served.items() if name in wanted}})
        return self.gitlab(request) if self.host == "gitlab" else self.github(request)

    def github(self, request: Request) -> Reply:
        if request.path != "/repos/shop/flags/contents/flags/production.yaml":
            return Reply(404, {"message": "Not Found", "documentation_url": "https://docs.github.com"})
        if request.method == "PUT":
            assert request.json["branch"] == "main"
            if self.is_stale(request.json["sha"]):
                return Reply(409, {"message": "flags/production.yaml does not match"})
            self.take(request.json, request.json["message"])
            return Reply(body={"commit": {"sha": "c"}})
        assert request.query["ref"] == "main"
        page = "https://github.example/shop/flags/blob/main/flags/production.yaml"
        return Reply(body={"type": "file", "encoding": "base64", "sha": f"v{self.version}", "html_url": page,
                           "content": base64.encodebytes(self.text.encode()).decode()})  # fmt: skip

    def gitlab(self, request: Request) -> Reply:
        if request.method == "PUT":
            if self.is_stale(request.json["last_commit_id"]):
                return Reply(400, {"message": "You are attempting to update a file that has changed since you started"})
            self.take(request.json, request.json["commit_message"])
            return Reply(body={"file_path": "flags/production.yaml", "branch": "main"})
        return Reply(body={"file_name": "production.yaml", "encoding": "base64", "last_commit_id": f"v{self.version}",
                           "content": base64.b64encode(self.text.encode()).decode()})  # fmt: skip

    def is_stale(self, version: str) -> bool:
        self.busy, was = max(0, self.busy - 1), self.busy
        return bool(was) or version != f"v{self.version}"

    def take(self, body: dict[str, Any], message: str) -> None:
        self.text = base64.b64decode(body["content"]).decode()
        self.version += 1
        self.commits.append({"message": message})

    def stands(self) -> Known | None:
        flag = flags_in(self.text).get("new-checkout")
        if flag is None:
            return None
        return not flag.get("disable", False), flag["defaultRule"]["percentage"]["enabled"]

    def vanish(self) -> None:
        self.text = FIRST
