"""Calling the API as one person, by session or by token, and reading its answers."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from config.tokens import create_token

ROOT = "/api/v1/"


class Answer:
    """What came back: `status`, `body` (parsed if it is JSON), `headers`."""

    def __init__(self, response: Any) -> None:
        self.status: int = response.status_code
        self.headers = response.headers
        self.raw: bytes = b"".join(response.streaming_content) if response.streaming else response.content
        kind = response.headers.get("Content-Type", "")
        self.body: Any = json.loads(self.raw) if "json" in kind and self.raw else None

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    def __repr__(self) -> str:
        return f"<{self.status} {self.raw[:2000]!r}>"

    @property
    def code(self) -> str:
        """The problem's code."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        return str(self.body["code"])

    @property
    def paths(self) -> set[str]:
        """Where the problem's faults are."""
        return {fault["path"] for fault in self.body["faults"]}


class Caller:
    """One person calling the API; nobody in particular without a user."""

    def __init__(self, user: User | None = None, *, token: str = "", **options: Any) -> None:
        self.client = Client(**options)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        if user is not None and not token:
            self.client.force_login(user)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send JSON (or text as it is) and return the answer; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = named.pop("Content-Type", "application/json")
        data = body if isinstance(body, str | bytes) else "" if body is None else json.dumps(body)
        address = path if path.startswith("/") else ROOT + path
        response = self.client.generic(method, address, data, kind, headers={**self.headers, **named})
        return Answer(response)

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.call("POST", path, {} if body is None else body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Answer:
        return self.call("PUT", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Answer:
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self.call("DELETE", path, **headers)


def with_token(user: User, *scopes: str) -> Caller:
    """A caller with a fresh token of these scopes."""
    _, key = create_token(user, name="test", scopes=scopes, now=timezone.now())
    return Caller(token=key)


def all_pages(caller: Caller, path: str) -> list[Any]:
    """Every result of a list, page after page."""
    results: list[Any] = []
    address: str | None = path
    while address:
        answer = caller.get(address.removeprefix("http://testserver"))
        assert answer.status == 200, answer
        results += answer["results"]
        address = answer["next"]
    return results
