"""The provider `argo`: templates of Argo Workflows, through its server.

A pipeline is the name of a WorkflowTemplate, or `cluster/name` of a ClusterWorkflowTemplate. Parameters become the
workflow's arguments. The workflow is named by the key (`pilothouse-<key>`), so it can exist only once. A workflow hands
outputs back as output parameters: those of its entrypoint, and global ones (`globalName`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from activities.engines import ADDRESS, Connected, Parameter, Pipeline, settings_of, work_of
from activities.providers import argo_logs
from activities.runners import Order, Outcome, Status
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import RunnerRefused, RunnerUnavailable

CLUSTER = "cluster/"
DESCRIPTION = "workflows.argoproj.io/description"
MOST_LOG = 256 * 1024
"""Bytes that are read of all logs, each line packed in JSON."""
MOST_WORKFLOW = 16 * 1024 * 1024
_ENDS: Mapping[str, Status] = {"Succeeded": "succeeded", "Failed": "failed", "Error": "failed"}
_BRIEF = "metadata.name,status.phase,status.message"
_NAME = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"


class ArgoEngine:
    """See the module. A reference is the workflow's name, which the key alone makes."""

    kind = "argo"
    settings = settings_of(
        {
            "url": ADDRESS,
            "namespace": {
                "type": "string",
                "pattern": r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
                "x-words": "a namespace",
                "x-cure": "Write it like argo.",
            },
            "cancel": {"enum": ["stop", "terminate"]},
        },
        required=("url", "namespace"),
    )
    work = work_of({"pipeline": {"type": "string", "minLength": 1}}, required=("pipeline",))

    async def start(self, order: Order, web: Web) -> Outcome:
        """Submits the template once: asked again, Argo says that it has the workflow."""
        server, name = Server(order.connection, order.secret, web), _workflow(order)
        kind, template = _template(order.spec["pipeline"])
        options = {"name": name, "parameters": [f"{name}={value}" for name, value in order.parameters.items()]}
        body = {"resourceKind": kind, "resourceName": template, "submitOptions": options}
        if not order.again or await server.workflow(name, _BRIEF) is None:
            answer = await server.ask("POST", server.path("workflows", "submit"), json=body, accept=(409, 500))
            if answer.status >= 400 and not (
                "already exists" in answer.text and await server.workflow(name, _BRIEF) is not None
            ):
                raise web.error("POST", answer)
        return Outcome("running", name, server.link(name))

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:
        """Looks at the workflow; follows the logs of its pods and, once it is over, reads its outputs."""
        server = Server(order.connection, order.secret, web)
        found, link = await server.workflow(reference, _BRIEF), server.link(reference)
        if found is not None and _status(found) != "running":
            found = await server.workflow(reference)
        if found is None:
            return Outcome("failed", reference, error="The workflow is no longer there: it was deleted in Argo.")
        status = _status(found)
        if status == "running":
            log, offset = await _growing(server, reference, log_offset) if _phase(found) else ("", log_offset)
            return Outcome("running", reference, link, log=log, log_offset=offset)
        nodes = _nodes(found)
        error, node = _story(found, nodes)
        if log_offset:
            log, _ = await _growing(server, reference, log_offset, is_over=True)
        else:
            log = await _log(server, reference, node) if node else ""
        outputs = _outputs(found, reference) if status == "succeeded" else {}
        told = error if status != "succeeded" else ""
        return Outcome(status, reference, link, outputs, told, log, log_offset + bool(log))

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Stops the workflow (its exit handlers run) or, if the connection says so, terminates it."""
        server, name = Server(order.connection, order.secret, web), reference or _workflow(order)
        found = await server.workflow(name, _BRIEF)
        if found is None or _status(found) != "running":
            return
        body = {"name": name, "namespace": order.connection["namespace"]}
        way = order.connection.get("cancel", "stop")
        await server.ask("PUT", server.path("workflows", name, way), json=body, accept=(404, 409))

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks who we are, and for the templates of the namespace."""
        server, namespace = Server(connection.settings, connection.secret, web), connection.settings["namespace"]
        who = (await server.ask("GET", "/userinfo")).mapping()
        name = who.get("serviceAccountName") or who.get("name") or who.get("subject")
        count = len(await server.items(server.path("workflow-templates")))
        known = f"Argo knows us as {name}" if name else "Argo lets us in"
        return f"{known}; templates in the namespace {namespace}: {count}."

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:
        """Returns the templates of the namespace, and those of the cluster if we may see them."""
        server = Server(connection.settings, connection.secret, web)
        found = []
        for prefix, path in (("", server.path("workflow-templates")), (CLUSTER, "/cluster-workflow-templates")):
            for one in await server.items(path, accept=(403, 404) if prefix else ()):
                about = one.get("metadata") or {}
                name = f"{prefix}{about.get('name')}"
                if search.lower() in name:
                    found.append(Pipeline(name, name, str((about.get("annotations") or {}).get(DESCRIPTION) or "")))
        return found[:100]

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:
        """Returns the arguments of the template."""
        server = Server(connection.settings, connection.secret, web)
        kind, name = _template(pipeline)
        is_cluster = kind.startswith("Cluster")
        path = f"/cluster-workflow-templates/{name}" if is_cluster else server.path("workflow-templates", name)
        spec = (await server.ask("GET", path)).mapping().get("spec") or {}
        return [_parameter(one) for one in (spec.get("arguments") or {}).get("parameters") or () if one.get("name")]


class Server:
    """The server of a connection."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, web: Web) -> None:
        self._base, self._namespace, self._web = settings["url"].rstrip("/"), settings["namespace"], web
        token = (secret or "").removeprefix("Bearer ")
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    async def ask(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the API."""
        return await self._web.ask(method, f"{self._base}/api/v1{path}", headers=self._headers, **rest)

    def path(self, kind: str, *parts: str) -> str:
        """Returns the path of something in the namespace."""
        return "/".join(("", kind, self._namespace, *(quote(part, safe="") for part in parts)))

    def link(self, name: str) -> str:
        """Returns where a workflow is shown."""
        return f"{self._base}/workflows/{self._namespace}/{quote(name, safe='')}"

    async def workflow(self, name: str, fields: str = "") -> dict[str, Any] | None:
        """Returns a workflow, or these fields of it; None if there is none of that name."""
        wanted = {"fields": fields} if fields else None
        path = self.path("workflows", name)
        answer = await self.ask("GET", path, params=wanted, accept=(404,), most=MOST_WORKFLOW)
        return None if answer.status == 404 else answer.mapping()

    async def items(self, path: str, accept: tuple[int, ...] = ()) -> list[dict[str, Any]]:
        """Returns the items of a list, whole as they are; it is null where there are none."""
        answer = await self.ask("GET", path, accept=accept, most=MOST_WORKFLOW)
        if answer.status >= 400 or answer.mapping().get("items") is None:
            return []
        return answer.listed("items")


def argo_engine() -> ArgoEngine:
    """Returns the engine."""
    return ArgoEngine()


def _workflow(order: Order) -> str:
    return f"pilothouse-{order.key}"


def _template(pipeline: str) -> tuple[str, str]:
    """The kind and name of a template. Raises RunnerRefused when the name cannot be one."""
    name = pipeline.removeprefix(CLUSTER)
    if not re.fullmatch(_NAME, name):
        raise RunnerRefused(f"'{pipeline}' cannot be a template; write it like deploy.", code="no_pipeline")
    return ("ClusterWorkflowTemplate" if name != pipeline else "WorkflowTemplate"), name


def _phase(workflow: Mapping[str, Any]) -> str:
    phase = str((workflow.get("status") or {}).get("phase") or "")
    return "" if phase == "Pending" else phase


def _status(workflow: Mapping[str, Any]) -> Status:
    told = workflow.get("status") or {}
    status, message = _ENDS.get(_phase(workflow), "running"), str(told.get("message") or "")
    if status == "failed" and message.startswith("Stopped with strategy"):
        return "cancelled"
    if status == "failed" and "exceeded its deadline" in message:
        return "timed_out"
    return status


def _nodes(workflow: Mapping[str, Any]) -> list[dict[str, Any]]:
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    return [one for one in nodes.values() if isinstance(one, dict)]


def _story(workflow: Mapping[str, Any], nodes: Sequence[dict[str, Any]]) -> tuple[str, dict[str, Any] | None]:
    """Returns what went wrong in words, and the node whose log shows it, or that came last."""
    pods = sorted((one for one in nodes if one.get("type") == "Pod"), key=lambda one: str(one.get("finishedAt")))
    failed = [one for one in pods if one.get("phase") in ("Failed", "Error")]
    said = [f"'{one.get('displayName')}': {one.get('message') or one.get('phase')}" for one in failed[:5]]
    told = workflow.get("status") or {}
    error = "; ".join(said) or str(told.get("message") or f"Argo says: {told.get('phase')}.")
    return error, next(iter(failed or pods[-1:]), None)


async def _log(server: Server, name: str, node: Mapping[str, Any]) -> str:
    """Returns the log's tail of a node, as far as its pod is still there."""
    wanted: dict[str, str | int] = {"logOptions.container": "main", "logOptions.tailLines": argo_logs.LINES}
    path = server.path("workflows", name, "log")
    answer = await server.ask("GET", path, params=wanted, accept=(400, 403, 404, 500), most=MOST_LOG, tail=True)
    if answer.status >= 400:
        return ""
    mark = str(node.get("id")).rpartition("-")[2]
    lines = [_line(line, mark) for line in answer.text.splitlines()]
    return "".join(f"{line}\n" for line in lines if line is not None)


async def _growing(server: Server, name: str, since: int, *, is_over: bool = False) -> tuple[str, int]:
    """Returns what the pods have written since a moment; nothing if that cannot be had just now."""
    options: dict[str, str | int] = {"container": "main", "timestamps": "true", "tailLines": argo_logs.LINES}
    if since:
        options["sinceTime.seconds"] = since // argo_logs.NANO
    wanted, accept = {f"logOptions.{key}": value for key, value in options.items()}, (400, 403, 404, 500)
    path = server.path("workflows", name, "log")
    try:
        answer = await server.ask("GET", path, params=wanted, accept=accept, most=MOST_LOG, tail=True)
    except RunnerUnavailable as error:
        if error.retry_after:
            raise
        return "", since
    return argo_logs.growing(answer, name, since, is_over=is_over) if answer.status < 400 else ("", since)


def _line(text: str, mark: str) -> str | None:
    """A line of the pod whose name ends with this mark."""
    try:
        result = json.loads(text.removeprefix("data: "))["result"]
        return str(result.get("content", "")) if str(result["podName"]).rpartition("-")[2] == mark else None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _outputs(workflow: Mapping[str, Any], name: str) -> dict[str, str]:
    """The output parameters of the entrypoint (whose node is named as the workflow) and the global ones."""
    status = workflow.get("status") or {}
    found: dict[str, str] = {}
    for part in ((status.get("nodes") or {}).get(name) or {}, status):
        for one in (part.get("outputs") or {}).get("parameters") or ():
            if one.get("name") and one.get("value") is not None:
                found[str(one["name"])] = one["value"] if isinstance(one["value"], str) else json.dumps(one["value"])
    return found


def _parameter(declared: Mapping[str, Any]) -> Parameter:
    default = declared.get("value", declared.get("default"))
    options = tuple(str(one) for one in declared.get("enum") or ())
    about, kind = str(declared.get("description") or ""), "enum" if options else "string"
    return Parameter(
        str(declared["name"]), kind, about, "" if default is None else str(default), options, default is None
    )
