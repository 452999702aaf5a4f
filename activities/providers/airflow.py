"""The provider `airflow`: DAGs of Apache Airflow 3, over its REST API v2.

A pipeline is a DAG's id. Parameters become the run's conf, each as the type that the DAG's param asks for. The run is
named by the key (`pilothouse__<key>`), so Airflow itself takes a start once. A DAG hands outputs back as what its task
`pilothouse_outputs` returns (or the task that the activity names under `settings.outputs`): a mapping of names to
values.

With `username`, the secret is a password that each call gets a token for; without, it is a token itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from activities.engines import ADDRESS, Connected, Parameter, Pipeline, settings_of, work_of
from activities.providers import airflow_logs
from activities.providers.airflow_dag import DAG_NAME, Dag
from activities.providers.growing import ended, followed
from activities.runners import Order, Outcome, Status
from activities.web.archives import outputs_of
from activities.web.client import Web
from config.errors import RunnerRefused

OUTPUTS_TASK = "pilothouse_outputs"
CANCELLED = "Cancelled by Pilothouse"
"""What the note of a run begins with that we have ended: Airflow itself only knows failed runs."""
_ENDS: Mapping[str, Status] = {"success": "succeeded", "failed": "failed"}
_UNDER_WAY = ("queued", "running")
_DAG = {"type": "string", "minLength": 1, "maxLength": 250}
_TASK = {"type": "string", "pattern": DAG_NAME, "x-words": "the id of a task", "x-cure": "Write it like tell_outputs."}


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
        """Looks at the run; follows its tasks' logs and, once it is over, reads its outputs."""
        dag = await Dag.of(order.connection, order.secret, order.spec["pipeline"], web)
        run = await dag.run(reference)
        if run is None:
            return Outcome("failed", reference, error="The run is no longer there: it was deleted in Airflow.")
        status, link = _ENDS.get(str(run.get("state")), "running"), dag.link(reference)
        read = partial(airflow_logs.read_log, dag, reference)
        if status == "running":
            running = Outcome("running", reference, link, log_offset=log_offset)
            if run.get("state") != "running":
                return running
            return replace(running, **await followed(airflow_logs.parts_of(dag, reference), order, log_offset, read))
        error, shown = await airflow_logs.story(dag, reference)
        begun = await airflow_logs.parts_of(dag, reference) if log_offset else []
        grown = await ended(begun, order, log_offset, read, shown)
        if status == "failed" and str(run.get("note") or "").startswith(CANCELLED):
            return Outcome("cancelled", reference, link, {}, f"{CANCELLED}.", **grown)
        outputs: dict[str, str] = {}
        if status == "succeeded":
            outputs, error = await _outputs(dag, reference, order.spec.get("settings", {}).get("outputs", ""))
            status = "failed" if error else status
        return Outcome(status, reference, link, outputs, error, **grown)

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


def airflow_engine() -> AirflowEngine:
    """Returns the engine."""
    return AirflowEngine()


def _run_id(order: Order) -> str:
    return f"pilothouse__{order.key}"


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
