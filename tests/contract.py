"""Holds what a provider asks, and what a double answers, against the description of an API that its maker publishes.

A double may say less than the real thing, but nothing else: in answers no field is required, and none may be there that
the description does not know. Questions must hold in full.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.contract_schema import Schemas, pointed
from tests.engine_double import Answering, EngineDouble, Reply, Request, double

LINES = "application/x-ndjson"
"""What comes piece by piece: each line is JSON of its own."""
JSON = "application/json"
_METHODS = ("get", "post", "put", "patch", "delete")


def asked(method: str, path: str, body: Any = None, *, sent_as: str = JSON, **query: str) -> Request:
    """A question, with a body as JSON if there is one."""
    headers = {} if body is None else {"content-type": sent_as}
    return Request(method, path, query, headers, b"" if body is None else json.dumps(body).encode())


class Contract:
    """An OpenAPI 3 document; `faults` are what watched exchanges have done against it."""

    def __init__(self, document: Mapping[str, Any], *, error: str = "") -> None:
        """`error` refers to the shape of the errors that an operation does not mention."""
        self._document, self._error, self._schemas = document, error, Schemas(document)
        self._paths = sorted(
            ((re.compile(_pattern(item, path)), path) for path, item in document["paths"].items()),
            key=lambda found: (found[1].count("{"), found[1]),
        )
        self.faults: list[str] = []

    def watched(self, answering: Answering) -> Answering:
        """Returns a double that is looked after."""

        def answer(request: Request) -> Reply:
            reply = answering(request)
            self.faults += self.faults_of(request, reply)
            return reply

        return answer

    @contextmanager
    def kept_by(self, answering: Answering, *, under: str = "", unless: str = "//") -> Iterator[EngineDouble]:
        """A double that listens. What is asked `under` a path, not below `unless`, must in the end have kept to it."""
        self.faults.clear()
        watched = self.watched(answering)

        def answer(request: Request) -> Reply:
            is_watched = request.path.startswith(under) and not request.path.startswith(unless)
            return watched(request) if is_watched else answering(request)

        with double(answer) as api:
            yield api
        assert not self.faults, "\n".join(self.faults)

    def faults_of(self, request: Request, reply: Reply) -> list[str]:
        """Returns what is wrong with an exchange, each fault with its place."""
        path, values = self._path(request)
        operation = self._document["paths"].get(path, {}).get(request.method.lower())
        named = f"{request.method} {path or request.path}"
        if operation is None:
            return [f"{named} is not in the description"]
        shared = self._document["paths"][path].get("parameters", [])
        known = [self._resolved(one) for one in (*shared, *operation.get("parameters", []))]
        given = {"path": values, "query": request.query}
        found = [*self._of_parameters(known, given), *self._of_body(operation, request)]
        if reply.status != 304 or "if-none-match" not in request.headers:
            found += self._of_reply(operation, reply)
        return [f"{named}: {fault}" for fault in found]

    def example(self, request: Request) -> Reply:
        """Returns the answer that the description gives as an example, with every field that there is."""
        path, _ = self._path(request)
        for status, described in self._document["paths"][path][request.method.lower()]["responses"].items():
            content = self._resolved(described).get("content", {}).get("application/json", {})
            for one in content.get("examples", {}).values():
                return Reply(int(status), self._resolved(one)["value"])
        return Reply(404)

    def _resolved(self, one: Mapping[str, Any]) -> Any:
        return pointed(self._document, one["$ref"]) if "$ref" in one else one

    def _path(self, request: Request) -> tuple[str, dict[str, str]]:
        for pattern, path in self._paths:
            match = pattern.fullmatch(request.path)
            if match and request.method.lower() in self._document["paths"][path]:
                return path, dict(zip(_names(path), map(unquote, match.groups()), strict=True))
        return "", {}

    def _of_parameters(self, known: list[Any], given: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
        for place, values in given.items():
            ours = {one["name"].removesuffix("[]"): one for one in known if one["in"] == place}
            for name in ours.keys() - {key.partition("[")[0] for key in values}:
                if ours[name].get("required"):
                    yield f"the {place} has no '{name}'"
            for name, text in values.items():
                one = ours.get(name.partition("[")[0])
                if one is None:
                    yield f"the {place} has an unknown '{name}'"
                elif all(self._schemas.fault(one["schema"], value) for value in _read(text)):
                    yield f"the {place}'s '{name}' cannot be '{text}'"

    def _of_body(self, operation: Mapping[str, Any], request: Request) -> Iterator[str]:
        described = self._resolved(operation.get("requestBody", {}))
        kind = request.headers.get("content-type", "").partition(";")[0]
        if not request.body:
            if described.get("required"):
                yield "the body is missing"
        elif kind not in described.get("content", {}):
            yield f"a body of {kind} is not taken"
        else:
            body = request.json if "json" in kind else dict(parse_qsl(request.body.decode()))
            fault = self._schemas.fault(described["content"][kind]["schema"], body)
            yield from [f"the body: {fault}"] if fault else []

    def _of_reply(self, operation: Mapping[str, Any], reply: Reply) -> Iterator[str]:
        if reply.status >= 500 or reply.hang_up or reply.promised or reply.raw is not None:
            return
        answers = operation["responses"]
        described = answers.get(str(reply.status), answers.get("default"))
        if described is None and not (reply.status >= 400 and self._error):
            yield f"is not answered with {reply.status}"
            return
        content = {"application/json": {"schema": {"$ref": self._error}}}
        told = self._resolved(described or {}).get("content", {})
        if told or not (reply.status >= 400 and self._error):
            content = told
        if isinstance(reply.body, bytes):
            lines = reply.body.splitlines() if LINES in content else ()
            faults = {self._schemas.fault(content[LINES]["schema"], json.loads(line), is_part=True) for line in lines}
            yield from (f"a line: {fault}" for fault in sorted(faults) if fault)
            return
        schema = next((one.get("schema", {}) for kind, one in content.items() if kind.endswith("json")), None)
        if schema is None:
            yield f"{reply.status} has no JSON"
            return
        fault = self._schemas.fault(schema, json.loads(json.dumps(reply.body)), is_part=True)
        yield from [f"{reply.status}: {fault}"] if fault else []


def _names(path: str) -> list[str]:
    return re.findall(r"{([^}]+)}", path)


def _pattern(item: Mapping[str, Any], path: str) -> str:
    """What an address must look like for a path; some of its parts may have slashes in them."""
    described = [one for method in _METHODS for one in item.get(method, {}).get("parameters", [])]
    long = {one.get("name") for one in described if one.get("x-multi-segment")}
    parts = re.split(r"({[^}]+})", path)
    return "".join(
        ("(.+)" if part[1:-1] in long else "([^/]+)") if part.startswith("{") else re.escape(part) for part in parts
    )


def _read(text: str) -> list[Any]:
    """What a text in an address may stand for: itself, JSON, or a list."""
    try:
        return [text, json.loads(text), text.split(",")]
    except ValueError:
        return [text, text.split(",")]
