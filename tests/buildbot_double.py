"""A Buildbot with one force scheduler, as far as the provider speaks with it. Shapes: buildbot 4.3.0."""

from __future__ import annotations

import base64
import re
from typing import Any

from tests.engine_double import Reply, Request

AUTH = "Basic " + base64.b64encode(b"bot:bb-secret").decode()
API = "/api/v2"


def field(name: str, kind: str, **more: Any) -> dict[str, Any]:
    """A field of a scheduler as the API shows it."""
    return {"name": name, "fullName": name, "type": kind, "default": "", "label": name, "required": False,
            "multiple": False, "tooltip": "", **more}  # fmt: skip


class Buildbot:
    """`is_closed` shows nothing to who is not signed in; `reason` is the type of the scheduler's field for it."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Request] = []
        self.is_closed, self.is_enabled, self.reason = False, True, "text"
        self.buildsets: dict[int, dict[str, Any]] = {}
        self.requests: dict[int, dict[str, Any]] = {}
        self.builds: dict[int, dict[str, Any]] = {}
        self.steps: list[dict[str, Any]] = []
        self.logs: dict[int, list[str]] = {}
        self.properties: dict[str, list[Any]] = {}
        self.forced: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        self.lost: list[Reply] = []
        self.next: list[Reply] = []

    def __call__(self, request: Request) -> Reply:
        if self.next:
            return self.next.pop(0)
        if request.path == "/auth/login":
            if request.headers.get("authorization") != AUTH:
                return Reply(401, b"Unauthorized")
            return Reply(
                302,
                headers={"Location": "https://elsewhere.example.com/#/", "Set-Cookie": "TWISTED_SESSION=jwt; Path=/"},
            )
        is_in = "TWISTED_SESSION=jwt" in request.headers.get("cookie", "")
        if request.path == "/config":
            return Reply(body={"user": {"username": "bot"} if is_in else {"anonymous": True}})
        if not is_in and (self.is_closed or request.method == "POST"):
            return Reply(
                403, {"jsonrpc": "2.0", "error": {"code": -32600, "message": "you need to have role 'admins'"}}
            )
        path = request.path.removeprefix(API)
        return self.change(request, path) if request.method == "POST" else self.show(request, path)

    def scheduler(self) -> dict[str, Any]:
        """The force scheduler."""
        inside = field("", "nested", fields=[field("dry", "bool", default=False), field("tags", "list", multiple=True)])
        fields = [field("reason", self.reason), field("username", "username"), inside]
        version = field("version", "text", default="1", required=True, tooltip="What to deploy")
        builders = ["deploy", "test"]
        return {"name": "shop", "label": "Shop", "enabled": self.is_enabled, "builder_names": builders,
                "all_fields": [*fields, version, field("branch", "fixed")]}  # fmt: skip

    def change(self, request: Request, path: str) -> Reply:
        """Forces, stops and cancels."""
        body = request.json
        assert (body["jsonrpc"], body["id"]) == ("2.0", 1)
        if body["method"] != "force":
            self.stopped.append(f"{body['method']} {path}")
            return Reply(body={"jsonrpc": "2.0", "id": 1, "result": None})
        if not body["params"].get("version"):
            error = {"code": -32602, "message": {"version": "A value is required"}}
            return Reply(400, {"jsonrpc": "2.0", "id": 1, "error": error})
        self.forced.append(body["params"])
        number = len(self.forced)
        reason = body["params"]["reason"] if self.reason == "text" else "always the same"
        self.buildsets[number] = {"bsid": number, "complete": False, "results": None, "reason": f"forced: {reason}"}
        self.requests[number] = {"buildrequestid": number, "buildsetid": number, "complete": False}
        return (
            self.lost.pop(0)
            if self.lost
            else Reply(body={"jsonrpc": "2.0", "id": 1, "result": [number, {"1": number}]})
        )

    def show(self, request: Request, path: str) -> Reply:
        """Answers a question."""
        if path == "/forceschedulers" or path == "/forceschedulers/shop":
            return Reply(body={"forceschedulers": [self.scheduler()], "meta": {}})
        if path == "/buildsets":
            return Reply(body={"buildsets": list(self.buildsets.values()), "meta": {}})
        if path == "/buildrequests":
            found = [one for one in self.requests.values() if str(one["buildsetid"]) == request.query["buildsetid"]]
            return Reply(body={"buildrequests": found, "meta": {}})
        found_at = re.fullmatch(r"/(buildsets|buildrequests|builds|steps|logs)/(\d+)(/.*)?", path)
        return (
            self.one(request, found_at[1], int(found_at[2]), found_at[3] or "")
            if found_at
            else Reply(404, {"error": "Invalid path"})
        )

    def one(self, request: Request, kind: str, number: int, part: str) -> Reply:
        """Answers a question about one thing."""
        if kind == "buildsets" and number in self.buildsets:
            return Reply(body={"buildsets": [self.buildsets[number]], "meta": {}})
        if part == "/builds":
            found = [one for one in self.builds.values() if one["buildrequestid"] == number]
            return Reply(body={"builds": found, "meta": {}})
        if part == "/steps":
            return Reply(body={"steps": self.steps, "meta": {}})
        if part == "/properties":
            return Reply(body={"_properties": [self.properties], "meta": {}})
        if kind == "logs":
            begin, limit = int(request.query["offset"]), int(request.query["limit"])
            content = "".join(f"o{line}\n" for line in self.logs[number - 1000][begin : begin + limit])
            return Reply(body={"logchunks": [{"logid": number, "firstline": begin, "content": content}], "meta": {}})
        if part == "/logs/stdio" and number in self.logs:
            about = {"logid": 1000 + number, "type": "s", "num_lines": len(self.logs[number]), "complete": False}
            return Reply(body={"logs": [about], "meta": {}})
        if part == "/logs/stdio/raw" and number in self.logs:
            return Reply(body="".join(f"{line}\n" for line in self.logs[number]).encode())
        if part == "/logs/stdio/raw" and number < 90:
            return Reply(body="".join(f"line {n}\n" for n in range(20_000)).encode() + f"log of {number}\n".encode())
        return Reply(404, {"error": "not found"})

    def finish(self, results: int | None, number: int = 1) -> None:
        """Bring a buildset with one build to its end; without results the build only begins."""
        over = results is not None
        self.builds[number] = {"buildid": number, "buildrequestid": number, "complete": over, "results": results}
        self.requests[number] |= {"complete": over, "results": results}
        self.buildsets[number] |= {"complete": over, "results": results}
