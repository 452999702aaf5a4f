"""The provider `github`: workflows of GitHub Actions that have the trigger `workflow_dispatch`.

A pipeline is the workflow's file name (`deploy.yml`), or `repository/deploy.yml` where the connection names an owner.
Parameters become its inputs. The run is known from the answer to the dispatch; where GitHub does not say it, or the
answer is lost, the run is found by the key that the workflow shows in its name:

    run-name: Deploy ${{ inputs.pilothouse }}      # with `key_input: pilothouse` in the connection's settings

A workflow hands outputs back in an artifact `pilothouse-outputs` that holds a file `outputs.json`, names to values.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import yaml

from activities.engines import (
    ADDRESS,
    SECRET,
    Called,
    Connected,
    Parameter,
    Pipeline,
    begun_after,
    settings_of,
    work_of,
)
from activities.providers.growing import Part, Piece, ended, followed, most_of, piece_of
from activities.runners import Order, Outcome, Status
from activities.web.addresses import link_in
from activities.web.answers import Answer
from activities.web.archives import ARTIFACT, outputs_in
from activities.web.client import Web
from config.errors import NotPermitted, RunnerRefused

PUBLIC = "https://api.github.com"
MOST_ARTIFACT = 8 * 1024 * 1024
FOUND_WITHIN = timedelta(minutes=5)
"""For how long a run that was dispatched is searched for."""
DISPATCHED = "key:"
"""What a reference begins with while the run itself is not known."""
_HEADERS = {"accept": "application/vnd.github+json, application/json", "x-github-api-version": "2022-11-28"}
_ENDS: Mapping[str, Status] = {
    "success": "succeeded",
    "neutral": "succeeded",
    "cancelled": "cancelled",
    "timed_out": "timed_out",
}
_WORKFLOW = re.compile(r"[A-Za-z0-9._ -]{1,200}")
_REPOSITORY = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}$",
    "x-words": "a repository",
    "x-cure": "Write it like shop/cart.",
}
_OWNER = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9-]{1,39}$",
    "x-words": "an owner of repositories",
    "x-cure": "Write the name of the person or organisation, such as shop.",
}
_INPUT = {"type": "string", "pattern": r"^[A-Za-z_][A-Za-z0-9_-]{0,99}$", "x-words": "the name of an input"}


class GitHubEngine:
    """See the module. A reference is the run's id."""

    kind = "github"
    settings = settings_of(
        {
            "url": ADDRESS,
            "repository": _REPOSITORY,
            "owner": _OWNER,
            "ref": {"type": "string", "minLength": 1, "maxLength": 250},
            "key_input": _INPUT,
            "hook": settings_of({"secret": SECRET}, required=("secret",)),
        }
    )
    work = work_of(
        {"pipeline": {"type": "string", "minLength": 1}, "ref": {"type": "string", "minLength": 1}},
        required=("pipeline",),
    )

    async def start(self, order: Order, web: Web) -> Outcome:
        """Dispatches the workflow; asked again, finds the run that was dispatched."""
        place = Place.of(order.connection, order.secret, order.spec["pipeline"], web)
        if order.again:
            run = await self._find(order, place)
            if run is not None:
                return _running(run)
        key_input = order.connection.get("key_input")
        inputs = {**order.parameters, **({key_input: order.key} if key_input else {})}
        ref = order.spec.get("ref") or order.connection.get("ref") or await place.default_branch()
        answer = await place.dispatch({"ref": ref, "inputs": inputs})
        if answer.body:
            run_id = answer.mapping().get("workflow_run_id")
            if run_id:
                return Outcome("running", str(run_id), _link(answer.mapping()))
        return Outcome("running", f"{DISPATCHED}{order.key}", look_in=3)

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:
        """Looks at the run; shows the log of each job that is over and, in the end, reads its outputs."""
        place = Place.of(order.connection, order.secret, order.spec["pipeline"], web)
        if reference.startswith(DISPATCHED):
            found = await self._find(order, place)
            if found is None:
                return _not_found(order, reference)
            reference = str(found["id"])
        answer = await place.ask("GET", f"/actions/runs/{quote(reference)}", accept=(404,), remembers=True)
        if answer.status == 404:
            return Outcome("failed", reference, error="The run is no longer there: it was deleted at GitHub.")
        run = answer.mapping()
        read = partial(_log, place)
        if run.get("status") != "completed":
            grown = await followed(_parts(place, reference), order, log_offset, read)
            return replace(_running(run), **grown)
        conclusion = str(run.get("conclusion"))
        status = _ENDS.get(conclusion, "failed")
        jobs = await _jobs(place, reference)
        error, shown = _story(jobs, conclusion)
        grown = await ended(_parts_in(jobs), order, log_offset, read, shown)
        outputs: dict[str, str] = {"commit": str(run["head_sha"])} if run.get("head_sha") else {}
        if status == "succeeded":
            handed, fault = await self._outputs(place, reference)
            outputs |= handed
            if fault:
                status, error = "failed", fault
        told = error if status != "succeeded" else ""
        return Outcome(status, reference, _link(run), outputs, told, **grown)

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Cancels the run."""
        place = Place.of(order.connection, order.secret, order.spec["pipeline"], web)
        if not reference or reference.startswith(DISPATCHED):
            run = await self._find(order, place)
            if run is None:
                return
            reference = str(run["id"])
        await place.ask("POST", f"/actions/runs/{quote(reference)}/cancel", accept=(404, 409))

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks who we are, and for the repository."""
        place = Place.of(connection.settings, connection.secret, "", web)
        answer = await place.ask_api("GET", "/user", accept=(403,))
        name = answer.mapping().get("login") if answer.status == 200 else None
        known = f"GitHub knows us as {name}" if name else "GitHub accepts the token"
        if "repository" not in connection.settings:
            return f"{known}."
        repository = (await place.ask("GET", "")).mapping()
        may = repository.get("permissions", {}).get("push", True)
        hint = "" if may else ", but the token may not start workflows there (it needs to write)"
        return f"{known}, who can see {repository.get('full_name')}{hint}."

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:
        """Returns the active workflows of the repository; with an owner only, of the one before the `/` in `search`."""
        before, slash, wanted = search.rpartition("/")
        if "repository" not in connection.settings and not slash:
            before, wanted = wanted, ""
            if not before:
                return []
        prefix = f"{before}/" if "repository" not in connection.settings else ""
        place = Place.of(connection.settings, connection.secret, f"{prefix}any.yml", web)
        answer = await place.ask("GET", "/actions/workflows", params={"per_page": 100})
        found = []
        for one in answer.listed("workflows"):
            file = str(one.get("path", "")).rpartition("/")[2]
            if one.get("state") == "active" and wanted.lower() in f"{file} {one.get('name', '')}".lower():
                found.append(Pipeline(prefix + file, str(one.get("name") or file), link=_link(one)))
        return found

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:
        """Returns the inputs that the workflow's file declares."""
        place = Place.of(connection.settings, connection.secret, pipeline, web)
        path = str((await place.ask("GET", place.workflow)).mapping().get("path", ""))
        ref = connection.settings.get("ref")
        file = await place.ask("GET", f"/contents/{quote(path)}", params={"ref": ref} if ref else None)
        inputs = _inputs_in(file)
        key_input = connection.settings.get("key_input")
        return [_parameter(name, one) for name, one in inputs.items() if name != key_input]

    def called(self, call: Called, connection: Connected) -> Collection[str]:
        """Returns the run that a call of the webhook `workflow_run` or `workflow_job` is about."""
        hook = connection.hook()
        signed = hmac.new(hook["secret"].encode(), call.body, hashlib.sha256).hexdigest()
        given = call.headers.get("x-hub-signature-256", "")
        if not hmac.compare_digest(given.encode(), f"sha256={signed}".encode()):
            raise NotPermitted("The call is not signed as it should be.", code="bad_signature")
        told = call.told()
        run, job = told.get("workflow_run"), told.get("workflow_job")
        found = [run.get("id") if isinstance(run, dict) else None, job.get("run_id") if isinstance(job, dict) else None]
        return [str(one) for one in found if one]

    async def _find(self, order: Order, place: Place) -> dict[str, Any] | None:
        """Returns the run that was dispatched for an order, None if there is none (yet).

        Raises RunnerRefused when nothing tells it from another one.
        """
        since = begun_after(order)
        wanted = {"event": "workflow_dispatch", "created": f">={since:%Y-%m-%dT%H:%M:%SZ}", "per_page": "100"}
        answer = await place.ask("GET", f"{place.workflow}/runs", params=wanted)
        runs = answer.listed("workflow_runs")
        if order.connection.get("key_input"):
            return next((run for run in runs if order.key in f"{run.get('display_title')} {run.get('name')}"), None)
        if runs:
            raise RunnerRefused(
                "Whether GitHub has started the workflow cannot be told: its answer was lost. Look there, then retry. "
                "Set 'key_input' in the connection and show that input in the workflow's run-name to avoid this.",
                code="run_unknown",
            )
        return None

    async def _outputs(self, place: Place, run: str) -> tuple[dict[str, str], str]:
        """Returns the outputs that the run has handed back, and what is wrong with them."""
        answer = await place.ask("GET", f"/actions/runs/{quote(run)}/artifacts", params={"name": ARTIFACT})
        found = [one for one in answer.listed("artifacts") if one.get("name") == ARTIFACT and not one.get("expired")]
        if not found:
            return {}, ""
        if int(found[0].get("size_in_bytes") or 0) > MOST_ARTIFACT:
            return {}, f"The artifact {ARTIFACT} is too large."
        path = f"/actions/artifacts/{found[0].get('id')}/zip"
        archive = await place.ask("GET", path, most=MOST_ARTIFACT, elsewhere=True)
        try:
            return outputs_in(archive.body), ""
        except ValueError as error:
            return {}, f"The artifact {ARTIFACT} cannot be used: {error}."


class Place:
    """One repository of a connection, and one workflow in it."""

    def __init__(self, base: str, repository: str, workflow: str, secret: str | None, web: Web) -> None:
        self._base, self._repository, self._web = base.rstrip("/"), repository, web
        self._headers = {**_HEADERS, **({"authorization": f"Bearer {secret}"} if secret else {})}
        self.workflow = f"/actions/workflows/{quote(workflow, safe='')}"

    @classmethod
    def of(cls, settings: Mapping[str, Any], secret: str | None, pipeline: str, web: Web) -> Place:
        """Returns where a pipeline of a connection is. Raises RunnerRefused when its name cannot be one."""
        repository = settings.get("repository", "")
        before, slash, workflow = pipeline.rpartition("/")
        if not repository:
            repository = f"{settings.get('owner', '')}/{before}"
        elif slash:
            raise RunnerRefused("The connection has one repository: name the workflow's file only.", code="no_pipeline")
        if pipeline and not (_WORKFLOW.fullmatch(workflow) and re.fullmatch(_REPOSITORY["pattern"], repository)):
            raise RunnerRefused(f"'{pipeline}' cannot be a workflow; write it like deploy.yml.", code="no_pipeline")
        return cls(settings.get("url", PUBLIC), repository, workflow, secret, web)

    async def ask(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the repository."""
        return await self.ask_api(method, f"/repos/{self._repository}{path}", **rest)

    async def ask_api(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the API."""
        return await self._web.ask(method, f"{self._base}{path}", headers=self._headers, **rest)

    async def dispatch(self, body: Mapping[str, Any]) -> Answer:
        """Dispatches the workflow, and asks which run that is where GitHub is new enough to say."""
        path = f"{self.workflow}/dispatches"
        answer = await self.ask("POST", path, json={**body, "return_run_details": True}, accept=(422,))
        if answer.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            return answer
        if "return_run_details" not in answer.text:
            raise self._web.error("POST", answer)
        return await self.ask("POST", path, json=body)

    async def default_branch(self) -> str:
        """Returns the repository's default branch."""
        return str((await self.ask("GET", "", remembers=True)).mapping().get("default_branch", "main"))


def github_engine() -> GitHubEngine:
    """Returns the engine."""
    return GitHubEngine()


def _running(run: Mapping[str, Any]) -> Outcome:
    return Outcome("running", str(run["id"]), _link(run))


def _not_found(order: Order, reference: str) -> Outcome:
    age = datetime.now(UTC) - (order.started_at or datetime.now(UTC))
    if age < FOUND_WITHIN:
        return Outcome("running", reference, look_in=5)
    error = "GitHub has taken the dispatch, but no run of it can be found: does its run-name show the key?"
    return Outcome("failed", reference, error=error)


def _link(shown: Mapping[str, Any]) -> str:
    return link_in(shown.get("html_url"))


async def _jobs(place: Place, run: str) -> list[dict[str, Any]]:
    path = f"/actions/runs/{quote(run)}/jobs"
    return (await place.ask("GET", path, params={"per_page": 100}, remembers=True)).listed("jobs")


def _part(job: Mapping[str, Any]) -> Part:
    return Part(str(job.get("id")), str(job.get("name")), is_over=True)


def _parts_in(jobs: Sequence[Mapping[str, Any]]) -> list[Part]:
    """The jobs that are over, in the order in which they ended: GitHub has no log of a job before."""
    over = [job for job in jobs if job.get("completed_at") and job.get("conclusion") not in (None, "skipped")]
    return [_part(job) for job in sorted(over, key=lambda job: (str(job["completed_at"]), int(job["id"])))]


async def _parts(place: Place, run: str) -> list[Part]:
    return _parts_in(await _jobs(place, run))


async def _log(place: Place, part: Part, offset: int) -> Piece | None:
    path, most = f"/actions/jobs/{part.id}/logs", most_of(part, offset)
    answer = await place.ask("GET", path, accept=(403, 404, 410), most=most, tail=True, elsewhere=True)
    return piece_of(answer, part, offset)


def _story(jobs: Sequence[Mapping[str, Any]], conclusion: str) -> tuple[str, list[Part]]:
    """Returns what went wrong in words, and the job that failed or came last."""
    failed = [job for job in jobs if job.get("conclusion") not in ("success", "skipped", "neutral", None)]
    errors = [_told(job) for job in failed[:5]]
    shown = failed[:1] or sorted(jobs, key=lambda job: str(job.get("completed_at") or ""))[-1:]
    return "; ".join(errors) or f"GitHub says: {conclusion}.", [_part(job) for job in shown]


def _told(job: Mapping[str, Any]) -> str:
    steps = job.get("steps") or []
    step = next((one for one in steps if one.get("conclusion") not in ("success", "skipped", None)), None)
    where = f" at '{step.get('name')}'" if step else ""
    return f"Job '{job.get('name')}': {job.get('conclusion')}{where}"


def _inputs_in(file: Answer) -> dict[str, Any]:
    """The inputs of `workflow_dispatch` in a workflow's file, as the contents API gives it."""
    try:
        document = yaml.safe_load(base64.b64decode(file.mapping().get("content", "")))
    except (binascii.Error, yaml.YAMLError, ValueError, RecursionError):
        document = None
    triggers = document.get("on", document.get(True)) if isinstance(document, dict) else None
    dispatch = triggers.get("workflow_dispatch") if isinstance(triggers, dict) else None
    inputs = dispatch.get("inputs") if isinstance(dispatch, dict) else None
    return inputs if isinstance(inputs, dict) else {}


def _parameter(name: str, declared: Any) -> Parameter:
    one = declared if isinstance(declared, dict) else {}
    kind = {"boolean": "boolean", "number": "number", "choice": "enum"}.get(str(one.get("type")), "string")
    default = one.get("default")
    text = "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
    options = tuple(str(option) for option in one.get("options") or ())
    return Parameter(str(name), kind, str(one.get("description", "")), text, options, bool(one.get("required")))
