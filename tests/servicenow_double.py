"""ServiceNow's Table API and Change Management API as far as the provider speaks with them.

Shapes: ServiceNow's own documentation of both APIs (`markdown/api-reference/rest-apis` of ServiceNow/ServiceNowDocs at
cb48b5c3e046), its habit of ignoring the part of a query that it does not understand included.
"""

from __future__ import annotations

import base64
from typing import Any

from tests.engine_double import Reply, Request

LABELS = {"-5": "New", "-4": "Assess", "-3": "Authorize", "-2": "Scheduled", "-1": "Implement", "0": "Review",
          "3": "Closed", "4": "Canceled"}  # fmt: skip
BASIC = "Basic " + base64.b64encode(b"bot:now-password").decode()
TEMPLATE = "4aaa54eedb3390106f5426f35b961994"


class ServiceNow:
    """`lost` are answers given in the place of the next ones to a POST or PATCH, after it was done; `next` before."""

    def __init__(self) -> None:
        self.changes: dict[str, dict[str, str]] = {}
        self.notes: list[str] = []
        self.lost: list[Reply] = []
        self.next: list[Reply] = []
        self.sign_in = BASIC
        self.unmarked: Reply | None = None
        self.ignores_queries = self.template_ignores_key = self.keeps_state = self.lists_result = False

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("authorization") != self.sign_in:
            error = {"message": "User Not Authenticated", "detail": "Required to provide Auth now-password"}
            return Reply(401, {"error": error, "status": "failure"})
        if self.next:
            return self.next.pop(0)
        reply = self.api(request, request.path.removeprefix("/api/").split("/"))
        if request.method in ("POST", "PATCH") and self.lost:
            return self.lost.pop(0)
        return reply

    def api(self, request: Request, parts: list[str]) -> Reply:
        match [request.method, *parts]:
            case ["GET", "now", "table", "change_request"]:
                found = self.query(request)
                return Reply(body={"result": found}, headers={"X-Total-Count": str(len(found))})
            case ["POST", "now", "table", "change_request"]:
                return self.create(request, request.json)
            case ["POST", "sn_chg_rest", "change", "standard", found] if found == TEMPLATE:
                return self.standard(request)
            case [_, "now", "table", "change_request", sys_id] if sys_id in self.changes:
                if request.method == "PATCH" and self.unmarked is not None:
                    return self.unmarked
                if request.method == "PATCH":
                    self.write(self.changes[sys_id], request.json)
                return Reply(body={"result": self.shown(request, self.changes[sys_id])})
        error = {"message": "No Record found", "detail": "Record doesn't exist or ACL restricts the record retrieval"}
        return Reply(404, {"error": error, "status": "failure"})

    def standard(self, request: Request) -> Reply:
        """The Change Management API: no parameters, every field, numbers for numbers, and 200."""
        assert not request.query
        ignored = ["description", *(["correlation_id"] if self.template_ignores_key else [])]
        given = {name: value for name, value in request.json.items() if name not in ignored}
        change = self.made({**given, "type": "standard"})
        shown = {name: {"display_value": value, "value": value} for name, value in change.items()}
        state = {"display_value": LABELS[change["state"]], "value": float(change["state"])}
        left_out = [name for name in ignored if name in request.json]
        result = {**shown, "state": state, "__meta": {"ignoredFields": left_out}}
        return Reply(200, {"result": [result] if self.lists_result else result})

    def query(self, request: Request) -> list[dict[str, Any]]:
        field, _, value = request.query.get("sysparm_query", "").partition("^ORDERBY")[0].partition("=")
        found = [one for one in self.changes.values() if self.ignores_queries or one.get(field, "") == value]
        return [self.shown(request, one) for one in found[: int(request.query["sysparm_limit"])]]

    def create(self, request: Request, given: dict[str, str]) -> Reply:
        return Reply(201, {"result": self.shown(request, self.made(given))})

    def made(self, given: dict[str, str]) -> dict[str, str]:
        number = len(self.changes) + 1
        change = {
            "sys_id": f"{number:032x}",
            "number": f"CHG003000{number}",
            "state": "-5",
            "approval": "not requested",
        }
        self.changes[change["sys_id"]] = change
        self.write(change, given)
        return change

    def write(self, change: dict[str, str], given: dict[str, str]) -> None:
        if note := given.pop("work_notes", ""):
            self.notes.append(note)
        if self.keeps_state:
            given.pop("state", "")
        change |= given

    def shown(self, request: Request, change: dict[str, str]) -> dict[str, Any]:
        whole = {"correlation_id": "", "short_description": "", **change, "work_notes": ""}
        wanted = request.query.get("sysparm_fields")
        fields = wanted.split(",") if wanted else list(whole)
        if request.query.get("sysparm_display_value") != "all":
            return {field: whole[field] for field in fields}
        labels = {"state": LABELS[change["state"]], "approval": change["approval"].title()}
        labels["work_notes"] = "\n\n".join(f"2026-01-08 09:00:00 - Bot (Work notes)\n{one}" for one in self.notes)
        return {field: {"display_value": labels.get(field, whole[field]), "value": whole[field]} for field in fields}

    def only(self) -> dict[str, str]:
        """Return the only change."""
        (change,) = self.changes.values()
        return change
