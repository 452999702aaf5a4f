"""The provider `airflow`: DAGs of Apache Airflow 3, over its REST API v2.

A pipeline is a DAG's id. Parameters become the run's conf, each as the type that the DAG's param asks for. The run is
named by the key (`pilothouse__<key>`), so Airflow itself takes a start once. A DAG hands outputs back as what its task
`pilothouse_outputs` returns (or the task that the activity names under `settings.outputs`): a mapping of names to
values.

With `username`, the secret is a password that each call gets a token for; without, it is a token itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from activities.engines import ADDRESS, MOST_LOG, Connected, Parameter, Pipeline, settings_of, work_of
from activities.runners import Order, Outcome, Status
from activities.web.answers import Answer
from activities.web.archives import outputs_of
from activities.web.client import Web
from config.errors import RunnerRefused

OUTPUTS_TASK = "pilothouse_outputs"
CANCELLED = "Cancelled by Pilothouse"
"""What the note of a run begins with that we have ended: Airflow itself only knows failed runs."""
_ENDS: Mapping[str, Status] = {"success": "succeeded", "failed": "failed"}
_UNDER_WAY = ("queued", "running")
_NAME = r"^(?=.*\w)[\w.-]{1,250}$"
_DAG = {"type": "string", "minLength": 1, "maxLength": 250}
_TASK = {"type": "string", "pattern": _NAME, "x-words": "the id of a task", "x-cure": "Write it like tell_outputs."}


class AirflowEngine:
    """See the module. A reference is the run's id, which the key alone makes."""

    kind = "airflow"
    settings = settings_of(
        {"url": ADDRESS, "username": {"type": "string", "minLength": 1, "maxLength": 250}}, required=("url",)
    )
    work = work_of({"pipeline": _DAG, "settings": settings_of({"outputs": _TASK})}, required=("pipeline",))

    async def start(self, order: Order, web: Web) -> Outcome:
        """Triggers the DAG once: asked again, Airflow says that it has the run."""
        dag = await Dag.of(order.connection, order.secret, order.spec["pipeline"], web)
        run_id = _run_id(order)
        if order.again and await dag.run(run_id) is not None:
            return Outcome("running", run_id, dag.link(run_id))
        details = await dag.details()
        if details.get("is_paused"):
            raise RunnerRefused(f"The DAG '{dag.id}' is paused: unpause it in Airflow, then retry.", code="paused")
        conf = _conf(order.parameters, _params_in(details))
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf, "note": "Started by Pilothouse"}
        answer = await dag.ask("POST", "/dagRuns", json=body, accept=(409,))
        if answer.status == 409 and await dag.run(run_id) is None:
            raise web.error("POST", answer)
        return Outcome("running", run_id, dag.link(run_id))

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:
        """Looks at the run; once it is over, reads its outputs and the log of the task that failed or came last."""
        dag = await Dag.of(order.connection, order.secret, order.spec["pipeline"], web)
        run = await dag.run(reference)
        if run is None:
            return Outcome("failed", reference, error="The run is no longer there: it was deleted in Airflow.")
        status, link = _ENDS.get(str(run.get("state")), "running"), dag.link(reference)
        if status == "running":
            return Outcome("running", reference, link)
        error, log = await _story(dag, reference)
        if status == "failed" and str(run.get("note") or "").startswith(CANCELLED):
            return Outcome("cancelled", reference, link, {}, f"{CANCELLED}.", log, log_offset + bool(log))
        outputs: dict[str, str] = {}
        if status == "succeeded":
            outputs, error = await _outputs(dag, reference, order.spec.get("settings", {}).get("outputs", ""))
            status = "failed" if error else status
        return Outcome(status, reference, link, outputs, error, log, log_offset + bool(log))

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Marks the run as failed, with a note that says why; one that is over stays as it ended."""
        dag = await Dag.of(order.connection, order.secret, order.spec["pipeline"], web)
        run_id = reference or _run_id(order)
        run = await dag.run(run_id)
        if run is not None and run.get("state") in _UNDER_WAY:
            path = f"/dagRuns/{quote(run_id, safe='')}"
            await dag.ask("PATCH", path, json={"state": "failed", "note": f"{CANCELLED}."}, accept=(404,))

    async def check(self, connection: Connected, web: Web) -> str:
        """Signs in, and asks how many DAGs we may see."""
        dag = await Dag.of(connection.settings, connection.secret, "", web)
        version = (await dag.ask_api("GET", "/version")).mapping().get("version")
        count = (await dag.ask_api("GET", "/dags", params={"limit": 1})).mapping().get("total_entries")
        name = connection.settings.get("username")
        return f"Airflow {version} {f'knows us as {name}' if name else 'accepts the token'}; DAGs to be seen: {count}."

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:
        """Returns the DAGs that are not paused."""
        dag = await Dag.of(connection.settings, connection.secret, "", web)
        wanted: dict[str, str | int] = {"limit": 100, "paused": "false"}
        if search:
            wanted["dag_id_pattern"] = search
        answer = await dag.ask_api("GET", "/dags", params=wanted)
        return [
            Pipeline(
                str(one["dag_id"]),
                str(one.get("dag_display_name") or one["dag_id"]),
                str(one.get("description") or ""),
                dag.page(str(one["dag_id"])),
            )
            for one in answer.listed("dags")
            if one.get("dag_id") and search.lower() in str(one["dag_id"]).lower()
        ]

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:
        """Returns the params of the DAG."""
        dag = await Dag.of(connection.settings, connection.secret, pipeline, web)
        return [_parameter(name, one) for name, one in _params_in(await dag.details()).items()]


class Dag:
    """One DAG of a connection, for one call."""

    def __init__(self, base: str, dag_id: str, token: str | None, web: Web) -> None:
        self.id, self._base, self._web = dag_id, base, web
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    @classmethod
    async def of(cls, settings: Mapping[str, Any], secret: str | None, dag_id: str, web: Web) -> Dag:
        """Returns the DAG, signed in. Raises RunnerRefused when its id cannot be one."""
        if dag_id and not re.fullmatch(_NAME, dag_id):
            raise RunnerRefused(f"'{dag_id}' cannot be a DAG; write its id like deploy_shop.", code="no_pipeline")
        base, token = settings["url"].rstrip("/"), secret
        if settings.get("username"):
            given = {"username": settings["username"], "password": secret or ""}
            told = (await web.ask("POST", f"{base}/auth/token", json=given)).mapping().get("access_token")
            if not isinstance(told, str) or not told:
                raise RunnerRefused("Airflow has signed us in, but given no token.", code="engine_denied")
            token = told
            web.masks = (*web.masks, told)
        return cls(base, dag_id, token, web)

    async def ask_api(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the API."""
        headers = {**self._headers, **rest.pop("headers", {})}
        return await self._web.ask(method, f"{self._base}/api/v2{path}", headers=headers, **rest)

    async def ask(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the DAG."""
        return await self.ask_api(method, f"/dags/{quote(self.id, safe='')}{path}", **rest)

    async def details(self) -> dict[str, Any]:
        """Returns what Airflow knows of the DAG."""
        return (await self.ask("GET", "/details")).mapping()

    async def run(self, run_id: str) -> dict[str, Any] | None:
        """Returns a run, None if there is none of that id."""
        answer = await self.ask("GET", f"/dagRuns/{quote(run_id, safe='')}", accept=(404,))
        return None if answer.status == 404 else answer.mapping()

    def page(self, dag_id: str) -> str:
        """Returns where a DAG is shown."""
        return f"{self._base}/dags/{quote(dag_id, safe='')}"

    def link(self, run_id: str) -> str:
        """Returns where a run is shown."""
        return f"{self.page(self.id)}/runs/{quote(run_id, safe='')}"


def airflow_engine() -> AirflowEngine:
    """Returns the engine."""
    return AirflowEngine()


def _run_id(order: Order) -> str:
    return f"pilothouse__{order.key}"


async def _story(dag: Dag, run_id: str) -> tuple[str, str]:
    """Returns what went wrong in words, and the log's tail of the task that failed or came last."""
    base = f"/dagRuns/{quote(run_id, safe='')}/taskInstances"
    answer = await dag.ask("GET", base, params={"limit": 100}, accept=(403, 404))
    tasks = answer.listed("task_instances") if answer.status == 200 else []
    failed = [one for one in tasks if one.get("state") == "failed"]
    ended = sorted((one for one in tasks if one.get("end_date")), key=lambda one: str(one["end_date"]))
    error = "; ".join(f"Task '{one.get('task_id')}' failed" for one in failed[:5]) or "Airflow says: failed."
    shown = (failed or ended[-1:])[:1]
    if not shown or not shown[0].get("try_number"):
        return error, ""
    task, tried = quote(str(shown[0].get("task_id")), safe=""), shown[0]["try_number"]
    log = await dag.ask(
        "GET",
        f"{base}/{task}/logs/{tried}",
        params={"map_index": shown[0].get("map_index", -1), "full_content": "true"},
        headers={"accept": "application/x-ndjson"},
        accept=(400, 403, 404),
        most=MOST_LOG,
        tail=True,
    )
    if log.status != 200:
        return error, ""
    lines = log.text.splitlines()
    cut = f"… (the beginning of '{shown[0].get('task_id')}' is left out)\n" if log.is_cut else ""
    return error, cut + "".join(f"{_line(line)}\n" for line in lines[log.is_cut :])


def _line(text: str) -> str:
    """One line of a log, which Airflow gives as JSON; what was raised follows in lines of its own."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    told = found.get("event", found.get("content")) if isinstance(found, dict) else found
    if not isinstance(told, str):
        return text
    raised = found.get("error_detail") if isinstance(found, dict) else None
    return "\n".join([told, *(line for one in reversed(_mappings(raised)) for line in _raised(one))])


def _raised(error: Mapping[str, Any]) -> list[str]:
    """What was raised, as Python would write it."""
    frames = [
        f'  File "{one.get("filename")}", line {one.get("lineno")}, in {one.get("name")}'
        for one in _mappings(error.get("frames"))
    ]
    return [*frames, f"{error.get('exc_type')}: {error.get('exc_value')}"]


def _mappings(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


async def _outputs(dag: Dag, run_id: str, task: str) -> tuple[dict[str, str], str]:
    """Returns what the task for outputs has returned, and what is wrong with it; a task that is named must do so."""
    named = quote(task or OUTPUTS_TASK, safe="")
    path = f"/dagRuns/{quote(run_id, safe='')}/taskInstances/{named}/xcomEntries/return_value"
    answer = await dag.ask("GET", path, params={"include_prior_dates": "false"}, accept=(403, 404))
    if answer.status != 200:
        return {}, f"The task '{task}' has returned no outputs that we may read." if task else ""
    value = answer.mapping().get("value")
    try:
        return outputs_of((value if isinstance(value, str) else json.dumps(value)).encode()), ""
    except ValueError:
        return {}, f"What the task '{task or OUTPUTS_TASK}' returned is not a mapping of names to values."


def _params_in(details: Mapping[str, Any]) -> dict[str, Any]:
    found = details.get("params")
    return found if isinstance(found, dict) else {}


def _schema(param: Any) -> tuple[Mapping[str, Any], list[str]]:
    """A param's schema, and the types it allows."""
    schema = param.get("schema") if isinstance(param, dict) else None
    schema = schema if isinstance(schema, dict) else {}
    kind = schema.get("type", [])
    return schema, [str(one) for one in (kind if isinstance(kind, list) else [kind])]


def _conf(parameters: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
    """The run's conf: each value as its param's type. Raises RunnerRefused for one that cannot be that."""
    conf: dict[str, Any] = {}
    for name, text in parameters.items():
        schema, kinds = _schema(params.get(name))
        options = schema.get("enum")
        is_plain = "string" in kinds or not kinds
        if isinstance(options, list) and not kinds:
            is_plain = text in options or text not in [json.dumps(one) for one in options]
        try:
            conf[name] = text if is_plain else json.loads(text)
        except (ValueError, RecursionError):
            raise RunnerRefused(f"The parameter '{name}' must be: {' or '.join(kinds)}.", code="parameters") from None
    return conf


def _parameter(name: str, param: Any) -> Parameter:
    schema, kinds = _schema(param)
    value = param.get("value") if isinstance(param, dict) else param
    kind = "boolean" if "boolean" in kinds else "number" if {"integer", "number"} & set(kinds) else "string"
    options = tuple(one if isinstance(one, str) else json.dumps(one) for one in schema.get("enum") or ())
    default = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    about = str((isinstance(param, dict) and param.get("description")) or schema.get("description") or "")
    required = value is None and "null" not in kinds
    return Parameter(name, "enum" if options else kind, about, default, options, required)
