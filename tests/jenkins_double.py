"""A Jenkins with a few jobs, as far as the provider speaks with it. Shapes: jenkinsci/jenkins, core/src/main/java."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import parse_qs

from tests.engine_double import Reply, Request

AUTH = "Basic " + base64.b64encode(b"bot:jk-token").decode()
SITE = "https://jenkins.example.com"
DEPLOY, PLAIN, BRANCH = "/job/shop/job/deploy", "/job/shop/job/plain", "/job/shop/job/cart/job/feature%252Fx"
DEFINITIONS = [
    {"name": "KEY", "type": "StringParameterDefinition", "defaultParameterValue": {"value": ""}},
    {"name": "VERSION", "type": "StringParameterDefinition", "defaultParameterValue": {"value": "1"}},
    {"name": "DRY", "type": "BooleanParameterDefinition", "defaultParameterValue": {"value": False}},
    {"name": "WHERE", "type": "ChoiceParameterDefinition", "choices": ["staging", "production"],
     "defaultParameterValue": {"value": "staging"}},
    {"name": "TOKEN", "type": "PasswordParameterDefinition", "defaultParameterValue": {"value": "hidden"}},
]  # fmt: skip


class Jenkins:
    """`is_old` answers a change with a redirect, `wants_crumb` wants a crumb and the session it was made in."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Request] = []
        self.is_old, self.wants_crumb, self.is_disabled = True, False, False
        self.queue: dict[int, dict[str, Any]] = {}
        self.left: dict[int, dict[str, Any]] = {}
        self.builds: dict[int, dict[str, Any]] = {}
        self.logs: dict[int, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.sent: list[dict[str, str]] = []
        self.cancelled: list[int] = []
        self.stopped: list[int] = []
        self.lost: list[Reply] = []
        self.next: list[Reply] = []

    def __call__(self, request: Request) -> Reply:
        if request.headers.get("authorization") != AUTH:
            return Reply(401, b"<html>Authentication required</html>", {"Content-Type": "text/html"})
        if self.next:
            return self.next.pop(0)
        if request.method == "POST" and self.wants_crumb:
            session, crumb = request.headers.get("cookie"), request.headers.get("jenkins-crumb")
            if (session, crumb) != ("JSESSIONID.1=abc", "c0ffee"):
                return Reply(403, b"<html>No valid crumb was included in the request</html>")
        return self.answer(request, request.path)

    def answer(self, request: Request, path: str) -> Reply:
        """Answers what is asked by one who is known."""
        if path == "/crumbIssuer/api/json":
            body = {"crumb": "c0ffee", "crumbRequestField": "Jenkins-Crumb"}
            return Reply(body=body, headers={"Set-Cookie": "JSESSIONID.1=abc; Path=/; HttpOnly"})
        if path == "/whoAmI/api/json":
            return Reply(body={"anonymous": False, "authenticated": True, "name": "bot"})
        if path.startswith("/queue/"):
            return self.of_queue(request)
        if path in ("/api/json", "/job/shop/api/json"):
            return Reply(body=self.tree(path))
        for job in (DEPLOY, PLAIN, BRANCH):
            if path.startswith(f"{job}/"):
                return self.of_job(request, job, path.removeprefix(job))
        return Reply(404, b"<html>Not Found</html>", {"Content-Type": "text/html"})

    def tree(self, path: str) -> dict[str, Any]:
        """The jobs of the root or of the folder `shop`."""
        jobs = [
            {"fullName": f"shop/{name}", "fullDisplayName": f"Shop » {name}", "url": SITE, "buildable": True}
            for name in ("deploy", "plain")
        ]  # fmt: skip
        branch = {"fullName": "shop/cart/feature%2Fx", "fullDisplayName": "Shop » cart » feature/x", "buildable": True}
        inside = [*jobs, {"fullName": "shop/cart", "jobs": [branch]}]
        return {"jobs": inside} if "shop" in path else {"jobs": [{"fullName": "shop", "jobs": inside}]}

    def of_queue(self, request: Request) -> Reply:
        """Answers what is asked of the queue."""
        if request.path == "/queue/api/json":
            return Reply(body={"items": list(self.queue.values())})
        if request.path == "/queue/cancelItem":
            number = int(request.query["id"])
            if number not in self.queue:
                return Reply(302, headers={"Location": "."}) if self.is_old else Reply(404)
            self.cancelled.append(number)
            self.left[number] = {**self.queue.pop(number), "cancelled": True}
            return Reply(302, headers={"Location": "."}) if self.is_old else Reply(204)
        found = re.fullmatch(r"/queue/item/(\d+)/api/json", request.path)
        item = (self.queue | self.left).get(int(found[1])) if found else None
        return Reply(body=item) if item else Reply(404)

    def of_job(self, request: Request, job: str, path: str) -> Reply:
        """Answers what is asked of a job."""
        if path == "/api/json":
            own = [{"parameterDefinitions": DEFINITIONS}] if job != PLAIN else [{}]
            return Reply(body={"buildable": not self.is_disabled, "url": f"{SITE}{job}/", "property": own,
                               "builds": list(self.builds.values())})  # fmt: skip
        if path == "/buildWithParameters":
            return self.enqueue(job, {name: values[0] for name, values in parse_qs(request.body.decode()).items()})
        if path == "/build":
            return self.enqueue(job, {})
        if path.startswith("/1/artifact/"):
            return Reply(body=self.files[path])
        if found := re.fullmatch(r"/(\d+)/(api/json|stop|logText/progressiveText)", path):
            number, part = int(found[1]), found[2]
            if number not in self.builds:
                return Reply(404)
            if part == "stop":
                self.stopped.append(number)
                return Reply(302, headers={"Location": "."})
            return Reply(body=self.builds[number]) if part == "api/json" else self.log(request, number)
        return Reply(404)

    def log(self, request: Request, number: int) -> Reply:
        """The log from an offset on."""
        text = self.logs.get(number, b"")
        start = int(request.query["start"])
        more = {"X-More-Data": "true"} if self.builds[number]["building"] else {}
        return Reply(body=text[start:], headers={"X-Text-Size": str(len(text)), **more})

    def enqueue(self, job: str, given: dict[str, str]) -> Reply:
        """Puts a build into the queue."""
        self.sent.append(given)
        number = 40 + len(self.sent)
        parameters = [{"name": name, "value": value} for name, value in given.items()]
        task, actions = {"url": f"{SITE}{job}/"}, [{"parameters": parameters}, {}]
        self.queue[number] = {"id": number, "cancelled": False, "executable": None, "task": task, "actions": actions}
        if self.lost:
            return self.lost.pop(0)
        return Reply(201, headers={"Location": f"{SITE}/queue/item/{number}/"})

    def begin(self, queued: int, number: int = 1, *, forgets: bool = False, timestamp: int = 0) -> None:
        """Make a build of something in the queue; the queue remembers it for some minutes."""
        item = self.queue.pop(queued)
        self.builds[number] = {"number": number, "url": f"{SITE}/job/shop/job/deploy/{number}/", "building": True,
                               "result": None, "queueId": queued, "timestamp": timestamp, "artifacts": [],
                               "actions": [*item["actions"], {"lastBuiltRevision": {"SHA1": "4f1c2ab"}}]}  # fmt: skip
        if not forgets:
            self.left[queued] = {**item, "executable": {"number": number, "url": ""}}

    def finish(self, result: str | None, number: int = 1, *, building: bool = False) -> None:
        """Bring a build to its end."""
        self.builds[number] |= {"building": building, "result": result}
