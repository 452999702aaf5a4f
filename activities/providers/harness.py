"""The provider `harness`: pipelines of Harness (NextGen).

A pipeline is its identifier. Parameters become its pipeline variables; what else it wants at run time comes from input
sets (`settings.input_sets`) and from `settings.inputs`, the part below `pipeline` of a runtime input YAML. Harness
knows no idempotency key: the key is written into the notes of the execution, and a start that was not answered is
found by them.

A pipeline hands outputs back as the output variables of its step `pilothouse_outputs`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import yaml

from activities.engines import ADDRESS, MOST_LOG, Connected, Parameter, Pipeline, begun_after, settings_of, work_of
from activities.providers.growing import Part, Piece, ended, followed
from activities.runners import Order, Outcome, Status
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import RunnerRefused

PUBLIC = "https://app.harness.io"
OUTPUTS_STEP = "pilothouse_outputs"
MOST_EXECUTION = 16 * 1024 * 1024
MOST_NOTES = 50
"""Executions whose notes are read to find one by its key."""
_ENDS: Mapping[str, Status] = {
    "success": "succeeded",
    "failed": "failed",
    "errored": "failed",
    "ignorefailed": "failed",
    "approvalrejected": "failed",
    "skipped": "failed",
    "suspended": "failed",
    "expired": "timed_out",
    "aborted": "cancelled",
    "abortedbyfreeze": "cancelled",
}
_BAD = ("failed", "errored", "expired", "aborted", "approvalrejected")
_IDENTIFIER = r"^[A-Za-z_$][A-Za-z0-9_$]{0,127}$"
_NAME = {"type": "string", "pattern": _IDENTIFIER, "x-words": "an identifier", "x-cure": "Write it like deploy_shop."}


class HarnessEngine:
    """See the module. A reference is the execution's id."""

    kind = "harness"
    settings = settings_of(
        {
            "url": ADDRESS,
            "account": {"type": "string", "minLength": 1, "maxLength": 100},
            "organization": _NAME,
            "project": _NAME,
        },
        required=("account", "organization", "project"),
    )
    work = work_of(
        {
            "pipeline": {"type": "string", "minLength": 1},
            "settings": settings_of(
                {
                    "inputs": {"type": "object"},
                    "input_sets": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 20},
                    "accept_ignored": {"type": "boolean"},
                }
            ),
        },
        required=("pipeline",),
    )

    async def start(self, order: Order, web: Web) -> Outcome:
        """Executes the pipeline; asked again, finds the execution whose notes hold the key."""
        project, pipeline = Project(order.connection, order.secret, web), _pipeline(order.spec["pipeline"])
        if order.again:
            found = await _find(order, project, pipeline)
            if found:
                return Outcome("running", found, project.link(pipeline, found))
        answer = await project.execute(
            pipeline, _inputs(order), order.spec.get("settings", {}).get("input_sets", ()), _note(order)
        )
        execution = str(_data(answer)["planExecution"]["uuid"])
        return Outcome("running", execution, project.link(pipeline, execution))

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:
        """Looks at the execution; shows the log of each step that is over and, in the end, reads its outputs."""
        project, pipeline = Project(order.connection, order.secret, web), _pipeline(order.spec["pipeline"])
        link = project.link(pipeline, reference)
        told = await project.execution(reference, whole=True)
        if told is None:
            return Outcome("failed", reference, error="The execution is no longer there: it was deleted in Harness.")
        status, nodes = _status(told, order), _nodes(told)
        if status == "running":
            grown = await followed(_parts_in(nodes), order, log_offset, project.log)
            return Outcome("running", reference, link, **grown)
        error, shown = _story(told, nodes)
        grown = await ended(_parts_in(nodes), order, log_offset, project.log, shown)
        outputs = _outputs(nodes) if status == "succeeded" else {}
        return Outcome(status, reference, link, outputs, error if status != "succeeded" else "", **grown)

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Aborts the execution; one that is over stays as it ended."""
        project, pipeline = Project(order.connection, order.secret, web), _pipeline(order.spec["pipeline"])
        reference = reference or await _find(order, project, pipeline)
        told = await project.execution(reference) if reference else None
        if told is not None and _status(told, order) == "running":
            path = f"/pipeline/api/pipeline/execute/interrupt/{quote(reference, safe='')}"
            await project.ask("PUT", path, params={"interruptType": "AbortAll"}, accept=(404, 409))

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks how many pipelines of the project we may see."""
        project = Project(connection.settings, connection.secret, web)
        found = _data(await project.pipelines("", 1))
        return f"Harness accepts the key; pipelines to be seen: {found.get('totalElements')}."

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:
        """Returns the project's pipelines."""
        project = Project(connection.settings, connection.secret, web)
        found = _data(await project.pipelines(search, 100)).get("content") or []
        return [
            Pipeline(
                str(one["identifier"]),
                str(one.get("name") or one["identifier"]),
                str(one.get("description") or ""),
                project.page(f"pipelines/{quote(str(one['identifier']))}/pipeline-studio"),
            )
            for one in found
            if isinstance(one, dict) and one.get("identifier")
        ]

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:
        """Returns the pipeline variables that are wanted at run time."""
        project = Project(connection.settings, connection.secret, web)
        params = {"pipelineIdentifier": _pipeline(pipeline)}
        told = _data(await project.ask("POST", "/pipeline/api/inputSets/template", params=params, json={}))
        try:
            document = yaml.safe_load(str(told.get("inputSetTemplateYaml") or ""))
        except (yaml.YAMLError, ValueError, RecursionError):
            document = None
        wanted = document.get("pipeline") if isinstance(document, dict) else None
        variables = wanted.get("variables") if isinstance(wanted, dict) else None
        return [_parameter(one) for one in variables or () if isinstance(one, dict) and one.get("name")]


class Project:
    """One project of a connection."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, web: Web) -> None:
        self._base, self._web = settings.get("url", PUBLIC).rstrip("/"), web
        self._account, self._org, self._name = settings["account"], settings["organization"], settings["project"]
        self._headers = {"x-api-key": secret} if secret else {}
        self._scope = {
            "accountIdentifier": self._account,
            "orgIdentifier": self._org,
            "projectIdentifier": self._name,
        }

    async def ask(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the project."""
        params = {**self._scope, **rest.pop("params", {})}
        headers = {**self._headers, **rest.pop("headers", {})}
        return await self._web.ask(method, f"{self._base}{path}", params=params, headers=headers, **rest)

    async def execute(self, pipeline: str, inputs: str, input_sets: Sequence[str], note: str) -> Answer:
        """Executes a pipeline with a runtime input YAML, or with input sets and that on top."""
        path, params = f"/pipeline/api/pipeline/execute/{pipeline}", {"notesForPipelineExecution": note}
        if input_sets:
            body = {"inputSetReferences": list(input_sets), **({"lastYamlToMerge": inputs} if inputs else {})}
            return await self.ask("POST", f"{path}/inputSetList", params=params, json=body)
        headers = {"content-type": "application/yaml"}
        return await self.ask("POST", path, params=params, headers=headers, content=inputs.encode())

    async def execution(self, execution: str, *, whole: bool = False) -> dict[str, Any] | None:
        """Returns an execution, with all its steps if asked for; None if there is none."""
        path = f"/pipeline/api/pipelines/execution/v2/{quote(execution, safe='')}"
        params = {"renderFullBottomGraph": "true"} if whole else {}
        answer = await self.ask("GET", path, params=params, accept=(400, 404), most=MOST_EXECUTION)
        if answer.status == 404 or (answer.status == 400 and "does not exist" in answer.text):
            return None
        if answer.status >= 400:
            raise self._web.error("GET", answer)
        return _data(answer)

    async def note(self, execution: str) -> str:
        """Returns what is noted of an execution."""
        url = f"{self._base}/pipeline/api/pipelines/execution/{quote(execution, safe='')}/notes"
        params = {"accountIdentifier": self._account}
        return str(_data(await self._web.ask("GET", url, params=params, headers=self._headers)).get("notes")).strip()

    async def pipelines(self, search: str, size: int) -> Answer:
        """Lists pipelines."""
        params = {"size": size, "page": 0, **({"searchTerm": search} if search else {})}
        return await self.ask(
            "POST", "/pipeline/api/pipelines/list", params=params, json={"filterType": "PipelineSetup"}
        )

    async def log(self, part: Part, offset: int) -> Piece | None:
        """Returns the log's tail of a step that is over, with the token that the log service wants."""
        token = await self.ask(
            "GET", "/gateway/log-service/token", params={"accountID": self._account}, accept=(403, 404)
        )
        if token.status != 200:
            return None
        self._web.masks = (*self._web.masks, token.text.strip())
        answer = await self._web.ask(
            "GET",
            f"{self._base}/gateway/log-service/blob",
            params={"accountID": self._account, "key": part.id},
            headers={"x-harness-token": token.text.strip()},
            accept=(400, 403, 404),
            most=MOST_LOG,
            tail=True,
            elsewhere=True,
        )
        if answer.status != 200:
            return None
        told = "".join(_line(line) for line in answer.text.splitlines()[answer.is_cut :])
        cut = f"… (the beginning of '{part.name}' is left out)\n" if answer.is_cut else ""
        return Piece(cut + told, offset + 1)

    def page(self, path: str) -> str:
        """Returns the address of one of the project's pages."""
        place = "/".join(quote(part, safe="") for part in (self._account, "all", "orgs", self._org, "projects"))
        return f"{self._base}/ng/account/{place}/{quote(self._name, safe='')}/{path}"

    def link(self, pipeline: str, execution: str) -> str:
        """Returns where an execution is shown."""
        return self.page(f"pipelines/{pipeline}/deployments/{quote(execution, safe='')}/pipeline")


def harness_engine() -> HarnessEngine:
    """Returns the engine."""
    return HarnessEngine()


def _data(answer: Answer) -> dict[str, Any]:
    found = answer.mapping().get("data")
    return found if isinstance(found, dict) else {}


def _note(order: Order) -> str:
    return f"Pilothouse {order.key}"


def _pipeline(text: str) -> str:
    if not re.fullmatch(_IDENTIFIER, text):
        raise RunnerRefused(f"'{text}' cannot be a pipeline; write its identifier like deploy.", code="no_pipeline")
    return text


def _inputs(order: Order) -> str:
    """The runtime input YAML (JSON is YAML); nothing if there is nothing to say."""
    given = dict(order.spec.get("settings", {}).get("inputs") or {})
    kept = [one for one in given.get("variables") or () if one.get("name") not in order.parameters]
    added = [{"name": name, "type": "String", "value": value} for name, value in order.parameters.items()]
    if kept or added:
        given["variables"] = [*kept, *added]
    return json.dumps({"pipeline": {"identifier": order.spec["pipeline"], **given}}) if given else ""


async def _find(order: Order, project: Project, pipeline: str) -> str:
    """Returns the execution whose notes hold the key, nothing if there is none.

    Raises RunnerRefused when there are more executions than can be looked through.
    """
    since = begun_after(order).timestamp() * 1_000
    params = {"pipelineIdentifier": pipeline, "size": 100, "page": 0}
    body = {"filterType": "PipelineExecution"}
    answer = await project.ask("POST", "/pipeline/api/pipelines/execution/summary", params=params, json=body)
    executions = [one for one in _data(answer).get("content") or () if isinstance(one, dict)]
    young = [one for one in executions if float(one.get("startTs") or since) >= since]
    noted = [str(one["planExecutionId"]) for one in young if one.get("notesExistForPlanExecutionId", True)]
    for execution in noted[:MOST_NOTES]:
        if await project.note(execution) == _note(order):
            return execution
    if len(noted) > MOST_NOTES or len(young) == 100:
        raise RunnerRefused(
            "Whether Harness has started the pipeline cannot be told: too many executions have begun since. "
            "Look there, then retry.",
            code="run_unknown",
        )
    return ""


def _status(told: Mapping[str, Any], order: Order) -> Status:
    status = _plain((told.get("pipelineExecutionSummary") or {}).get("status"))
    if status == "ignorefailed" and order.spec.get("settings", {}).get("accept_ignored"):
        return "succeeded"
    return _ENDS.get(status, "running")


def _plain(status: Any) -> str:
    return str(status).replace("_", "").lower()


def _story(told: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> tuple[str, list[Part]]:
    """Returns what went wrong in words, and the step whose log shows it, or that came last."""
    steps = sorted((one for one in nodes if _log_key(one)), key=_ended_at)
    failed = [one for one in steps if _plain(one.get("status")) in _BAD]
    summary = told.get("pipelineExecutionSummary") or {}
    said = [f"'{one.get('name')}': {_failure(one) or one.get('status')}" for one in failed[:5]]
    error = "; ".join(said) or _failure(summary) or f"Harness says: {summary.get('status')}."
    return error, [_part(one) for one in failed[:1] or steps[-1:]]


def _nodes(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    nodes = ((told.get("executionGraph") or {}).get("nodeMap") or {}).values()
    return [one for one in nodes if isinstance(one, dict)]


def _ended_at(node: Mapping[str, Any]) -> float:
    return float(node.get("endTs") or 0)


def _part(node: Mapping[str, Any]) -> Part:
    return Part(_log_key(node), str(node.get("name")), is_over=True)


def _parts_in(nodes: Sequence[Mapping[str, Any]]) -> list[Part]:
    """The steps that are over, in the order in which they ended: until then, Harness only has a stream of their log."""
    return [_part(one) for one in sorted(nodes, key=_ended_at) if _ended_at(one) and _log_key(one)]


def _failure(shown: Mapping[str, Any]) -> str:
    return str((shown.get("failureInfo") or {}).get("message") or "").strip()


def _log_key(node: Mapping[str, Any]) -> str:
    for one in node.get("executableResponses") or ():
        for part in one.values() if isinstance(one, dict) else ():
            keys = part.get("logKeys") if isinstance(part, dict) else None
            if keys:
                return str(keys[0])
    is_step = node.get("stepType") not in (None, "NG_EXECUTION", "NG_SECTION")
    return str(node.get("logBaseKey") or "") if is_step else ""


def _line(text: str) -> str:
    """One line of a log, which Harness keeps as JSON."""
    try:
        out = json.loads(text)["out"]
    except (ValueError, LookupError, TypeError, RecursionError):
        out = text
    return f"{str(out).rstrip(chr(10))}\n"


def _outputs(nodes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in nodes:
        if node.get("identifier") == OUTPUTS_STEP:
            output = (node.get("outcomes") or {}).get("output") or {}
            for name, value in (output.get("outputVariables") or {}).items():
                found[str(name)] = value if isinstance(value, str) else json.dumps(value)
    return found


def _parameter(declared: Mapping[str, Any]) -> Parameter:
    """A variable; its value says what is allowed: `<+input>.default(a).allowedValues(a,b)`."""
    value = str(declared.get("value") or "")
    allowed = re.search(r"\.(?:allowedValues|selectOneFrom)\(([^)]*)\)", value)
    options = tuple(one.strip() for one in allowed[1].split(",")) if allowed else ()
    preset = re.search(r"\.default\(([^)]*)\)", value)
    default = preset[1] if preset else str(declared.get("default") or "")
    kind = "enum" if options else "number" if declared.get("type") == "Number" else "string"
    return Parameter(str(declared["name"]), kind, str(declared.get("description") or ""), default, options, not default)
