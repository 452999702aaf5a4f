"""Jira's REST API v2 as far as the provider speaks with it; Cloud and Data Center differ in sign-in and search.

Shapes: Atlassian's OpenAPI description, and for the search of Cloud its documentation.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from tests.engine_double import Reply, Request

STATUSES = {
    "To Do": "new",
    "In Review": "indeterminate",
    "Approved": "indeterminate",
    "Rejected": "done",
    "Done": "done",
}
CLOUD = "Basic " + base64.b64encode(b"bot@shop.example:jira-token").decode()
CENTER = "Bearer jira-token"


class Jira:
    """`lost` are answers given in the place of the next ones to a POST, after it was done; `next` before."""

    def __init__(self, *, is_cloud: bool = True) -> None:
        self.is_cloud = is_cloud
        self.issues: dict[str, dict[str, Any]] = {}
        self.comments: list[dict[str, Any]] = []
        self.lost: list[Reply] = []
        self.next: list[Reply] = []
        self.finds = True
        self.moves = 0

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("authorization") != (CLOUD if self.is_cloud else CENTER):
            return Reply(401, {"errorMessages": ["Client must be authenticated; jira-token is not known"]})
        if self.next:
            return self.next.pop(0)
        reply = self.api(request, request.path.removeprefix("/rest/api/2/").split("/"))
        if request.method == "POST" and "search" not in request.path and self.lost:
            return self.lost.pop(0)
        return reply

    def api(self, request: Request, parts: list[str]) -> Reply:
        match [request.method, *parts]:
            case ["GET", "myself"]:
                return Reply(body={"accountId": "5b10", "displayName": "Release bot", "emailAddress": ""})
            case ["POST", "search", "jql"] if self.is_cloud:
                return self.search(request.json)
            case ["POST", "search"] if not self.is_cloud:
                return self.search(request.json)
            case ["POST", "issue"]:
                return self.create(request.json["fields"])
            case ["GET", "comment", number, "properties", "pilothouse"]:
                found = self.comments[int(number)].get("properties") or []
                return Reply(body=found[0]) if found else Reply(404, {"errorMessages": ["No property"]})
            case [_, "issue", key, *rest] if key in self.issues:
                return self.issue(request, self.issues[key], rest)
        return Reply(404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]})

    def search(self, body: dict[str, Any]) -> Reply:
        label = body["jql"].removeprefix('labels = "').removesuffix('"')
        keys = [key for key, one in self.issues.items() if label in one["fields"]["labels"] and self.finds]
        return Reply(body={"issues": [{"id": "1", "key": key, "fields": {}} for key in keys[: body["maxResults"]]]})

    def create(self, fields: dict[str, Any]) -> Reply:
        if fields["project"] != {"key": "SHOP"}:
            errors = {"project": "valid project is required"}
            return Reply(400, {"errorMessages": [], "errors": errors})
        key = f"SHOP-{len(self.issues) + 1}"
        self.issues[key] = {"id": "10000", "key": key, "self": "https://…", "fields": dict(fields)}
        self.to(key, "To Do")
        return Reply(201, {"id": "10000", "key": key, "self": "https://…"})

    def issue(self, request: Request, issue: dict[str, Any], rest: list[str]) -> Reply:
        match [request.method, *rest]:
            case ["GET"]:
                return Reply(body=issue)
            case ["POST", "comment"]:
                created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
                self.comments.append({"id": str(len(self.comments)), "created": created, **request.json})
                return Reply(201, self.comments[-1])
            case ["GET", "comment"]:
                shown = [{name: one[name] for name in ("id", "created", "body")} for one in self.comments]
                return Reply(body={"startAt": 0, "maxResults": 20, "total": len(shown), "comments": shown[::-1]})
            case ["GET", "transitions"]:
                ways = [name for name in STATUSES if name != issue["fields"]["status"]["name"] and name != "Done"]
                told = [{"id": name, "name": f"Go to {name}", "to": {"name": name}} for name in ways]
                return Reply(body={"expand": "transitions", "transitions": told})
            case ["POST", "transitions"]:
                self.moves += 1
                self.to(issue["key"], request.json["transition"]["id"])
                return Reply(204)
        return Reply(405)

    def to(self, key: str, status: str) -> None:
        """Bring an issue to a status."""
        category = {"id": 4, "key": STATUSES[status], "colorName": "yellow", "name": "…"}
        self.issues[key]["fields"]["status"] = {"name": status, "id": "3", "statusCategory": category}
