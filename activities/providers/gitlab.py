"""The provider `gitlab`: pipelines of GitLab CI, through API v4.

A pipeline is a project's path (`shop/cart`). Parameters become its CI variables or, with `pass: inputs`, its inputs.
The answer to the start names what was started. When that is lost, it is found by the attempt's key: a variable
(`PILOTHOUSE_KEY`, or the input that `key` names) that GitLab shows among the pipeline's variables, or in its name:

    workflow: {name: "Deploy $PILOTHOUSE_KEY"}

A pipeline hands outputs back in a job's artifacts: `artifacts: {name: pilothouse-outputs, paths: [outputs.json]}`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

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
from activities.providers.gitlab_file import declared
from activities.providers.growing import Part, Piece, ended, followed, most_of, piece_of
from activities.runners import Order, Outcome, Status
from activities.web.addresses import link_in
from activities.web.answers import Answer
from activities.web.archives import ARTIFACT, MOST, OUTPUTS, outputs_of
from activities.web.client import Web
from config.errors import Fault, NotPermitted, RunnerRefused

PUBLIC = "https://gitlab.com"
KEY = "PILOTHOUSE_KEY"
"""The variable that takes the attempt's key unless the connection names another."""
PAGE, MOST_PAGES = 100, 10
"""Jobs that are asked for at once, and how often."""
MOST_ASKED = 20
"""Pipelines whose variables are read, at most, to find one by its key."""
WINDOW = 300
"""Seconds by which the moment that a signed call names may differ from ours."""
_ENDS: Mapping[str, Status] = {
    "success": "succeeded",
    "failed": "failed",
    "canceled": "cancelled",
    "skipped": "failed",
}
"""Any other status goes on: created, waiting_for_resource, pending, running, canceling, manual, scheduled, …"""
_PROJECT = re.compile(r"\d{1,18}|[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*){1,20}")
_REF = {"type": "string", "minLength": 1, "maxLength": 250}
_NAME = {
    "type": "string",
    "pattern": r"^[A-Za-z_][A-Za-z0-9_-]{0,99}$",
    "x-words": "the name of a variable or input",
    "x-cure": "Write it like PILOTHOUSE_KEY.",
}


class GitLabEngine:
    """See the module. A reference is the pipeline's id."""

    kind = "gitlab"
    settings = settings_of(
        {
            "url": ADDRESS,
            "ref": _REF,
            "pass": {"enum": ["variables", "inputs"]},
            "key": _NAME,
            "hook": settings_of({"secret": SECRET}, required=("secret",)),
        }
    )
    work = work_of({"pipeline": {"type": "string", "minLength": 1}, "ref": _REF}, required=("pipeline",))

    async def start(self, order: Order, web: Web) -> Outcome:
        """Creates the pipeline; asked again, finds the one that was created."""
        place = Place.of(order.connection, order.secret, order.spec["pipeline"], web)
        if order.again:
            found = await self._find(order, place)
            if found is not None:
                return _running(found)
        ref = order.spec.get("ref") or order.connection.get("ref") or await place.default_branch()
        key = _key_name(order.connection)
        given = {**order.parameters, **({key: order.key} if key else {})}
        body: dict[str, Any] = {"ref": ref}
        if order.connection.get("pass") == "inputs":
            body["inputs"] = {name: _typed(value) for name, value in given.items()}
        else:
            body["variables"] = [{"key": name, "value": value} for name, value in given.items()]
        return _running((await place.ask("POST", "/pipeline", json=body)).mapping())

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:
        """Looks at the pipeline; follows its jobs' logs and, once it is over, reads its outputs."""
        place = Place.of(order.connection, order.secret, order.spec["pipeline"], web)
        answer = await place.ask("GET", f"/pipelines/{quote(reference, safe='')}", accept=(404,), remembers=True)
        if answer.status == 404:
            await place.ask("GET", "")
            return Outcome("failed", reference, error="The pipeline is no longer there: it was deleted at GitLab.")
        pipeline = answer.mapping()
        said = str(pipeline.get("status"))
        status = _ENDS.get(said)
        read = partial(_trace, place)
        if status is None:
            grown = await followed(_parts(place, reference), order, log_offset, read)
            return replace(_running(pipeline), **grown)
        jobs = await _jobs(place, reference)
        error, shown = _story(_latest(jobs), pipeline)
        grown = await ended(_parts_in(jobs), order, log_offset, read, shown)
        outputs: dict[str, str] = {"commit": str(pipeline["sha"])} if pipeline.get("sha") else {}
        if status == "succeeded":
            error = ""
            handed, fault = await self._outputs(place, _latest(jobs))
            outputs |= handed
            if fault:
                status, error = "failed", fault
        return Outcome(status, reference, _link(pipeline), outputs, error, **grown)

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Cancels the pipeline's jobs."""
        place = Place.of(order.connection, order.secret, order.spec["pipeline"], web)
        if not reference:
            found = await self._find(order, place)
            if found is None:
                return
            reference = str(found["id"])
        await place.ask("POST", f"/pipelines/{quote(reference, safe='')}/cancel", accept=(404,))

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks who we are."""
        place = Place(connection.settings, connection.secret, "", web)
        me = (await place.ask_api("GET", "/user")).mapping()
        return f"GitLab knows us as {me.get('username') or me.get('name')}."

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:
        """Returns the projects that we are a member of and that build something."""
        place = Place(connection.settings, connection.secret, "", web)
        wanted = {"membership": "true", "archived": "false", "order_by": "last_activity_at", "per_page": "100"}
        if search:
            wanted |= {"search": search, "search_namespaces": "true"}
        found = (await place.ask_api("GET", "/projects", params=wanted)).listed()
        return [
            Pipeline(
                str(one["path_with_namespace"]),
                str(one.get("name_with_namespace") or one["path_with_namespace"]),
                str(one.get("description") or "")[:200],
                _link(one),
            )
            for one in found
            if one.get("builds_access_level") != "disabled"
        ]

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:
        """Returns what the project's file declares: variables that have a description, or inputs."""
        place = Place.of(connection.settings, connection.secret, pipeline, web)
        project = (await place.ask("GET", "")).mapping()
        path = str(project.get("ci_config_path") or ".gitlab-ci.yml")
        if "@" in path or "://" in path:
            return []
        ref = connection.settings.get("ref") or project.get("default_branch") or "HEAD"
        file = f"/repository/files/{quote(path, safe='')}/raw"
        answer = await place.ask("GET", file, params={"ref": str(ref)}, accept=(404,))
        if answer.status == 404:
            return []
        key = _key_name(connection.settings)
        found = declared(answer.text, wants_inputs=connection.settings.get("pass") == "inputs")
        return [one for one in found if one.name != key]

    def called(self, call: Called, connection: Connected) -> Collection[str]:
        """Returns the pipeline that a pipeline event or a job event is about."""
        hook = connection.hook()
        if not _is_signed(call, hook["secret"]):
            raise NotPermitted("The call is not signed as it should be.", code="bad_signature")
        told = call.told()
        attributes = told.get("object_attributes")
        kind = told.get("object_kind")
        found = attributes.get("id") if kind == "pipeline" and isinstance(attributes, dict) else None
        found = told.get("pipeline_id") if kind == "build" else found
        return [str(found)] if found else []

    def faults(self, settings: Mapping[str, Any]) -> Iterator[Fault]:
        """Yields what the schema cannot say: a variable's name has no dash."""
        if settings.get("pass") != "inputs" and "-" in str(settings.get("key", "")):
            yield Fault("settings.key", "A variable's name cannot hold '-'.", "Write it like PILOTHOUSE_KEY.")

    async def _find(self, order: Order, place: Place) -> dict[str, Any] | None:
        """Returns the pipeline that was created for an order, None if there is none.

        Raises RunnerRefused when nothing tells it from another one.
        """
        since = begun_after(order)
        wanted = {"source": "api", "created_after": f"{since:%Y-%m-%dT%H:%M:%SZ}", "per_page": "100"}
        found = (await place.ask("GET", "/pipelines", params=wanted)).listed()
        named = next((one for one in found if order.key in str(one.get("name"))), None)
        if named is not None or not found:
            return named
        if order.connection.get("pass") == "inputs":
            if _key_name(order.connection) and any(one.get("name") for one in found):
                return None
            raise _unknown("Set 'key' in the connection and show that input in workflow:name to avoid this.")
        for one in found[:MOST_ASKED]:
            path = f"/pipelines/{one['id']}/variables"
            answer = await place.ask("GET", path, accept=(403, 404))
            if answer.status == 403:
                raise _unknown(f"Show {_key_name(order.connection)} in workflow:name to avoid this.")
            if answer.status == 200 and any(entry.get("value") == order.key for entry in answer.listed()):
                return one
        if len(found) > MOST_ASKED:
            raise _unknown(f"Show {_key_name(order.connection)} in workflow:name to avoid this.")
        return None

    async def _outputs(self, place: Place, jobs: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str], str]:
        """Returns the outputs that jobs have handed back, and what is wrong with them."""
        outputs: dict[str, str] = {}
        for job in jobs:
            if str((job.get("artifacts_file") or {}).get("filename")) != f"{ARTIFACT}.zip":
                continue
            path = f"/jobs/{job.get('id')}/artifacts/{OUTPUTS}"
            answer = await place.ask("GET", path, accept=(404,), most=MOST + 1, tail=True, elsewhere=True)
            if answer.status == 404:
                return outputs, f"The artifacts of '{job.get('name')}' have no {OUTPUTS}, or have expired."
            if answer.is_cut or len(answer.body) > MOST:
                return outputs, f"{OUTPUTS} of '{job.get('name')}' is larger than {MOST} bytes."
            try:
                outputs |= outputs_of(answer.body)
            except ValueError as error:
                return outputs, f"The artifacts of '{job.get('name')}' cannot be used: {error}."
        return outputs, ""


class Place:
    """One project at a GitLab."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, project: str, web: Web) -> None:
        self._base = f"{settings.get('url', PUBLIC).rstrip('/')}/api/v4"
        self._project, self._web = f"/projects/{quote(project, safe='')}", web
        self._headers = {"private-token": secret} if secret else {}

    @classmethod
    def of(cls, settings: Mapping[str, Any], secret: str | None, project: str, web: Web) -> Place:
        """Returns where a pipeline is. Raises RunnerRefused when its name cannot be one."""
        if not _PROJECT.fullmatch(project):
            raise RunnerRefused(f"'{project}' cannot be a project; write it like shop/cart.", code="no_pipeline")
        return cls(settings, secret, project, web)

    async def ask(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the project."""
        return await self.ask_api(method, f"{self._project}{path}", **rest)

    async def ask_api(self, method: str, path: str, *, more: Mapping[str, str] | None = None, **rest: Any) -> Answer:
        """Asks for something of the API; `more` are headers."""
        return await self._web.ask(method, f"{self._base}{path}", headers={**self._headers, **(more or {})}, **rest)

    async def default_branch(self) -> str:
        """Returns the project's default branch."""
        return str((await self.ask("GET", "", remembers=True)).mapping().get("default_branch") or "main")


def gitlab_engine() -> GitLabEngine:
    """Returns the engine."""
    return GitLabEngine()


def _running(pipeline: Mapping[str, Any]) -> Outcome:
    return Outcome("running", str(pipeline["id"]), _link(pipeline))


def _link(shown: Mapping[str, Any]) -> str:
    return link_in(shown.get("web_url"))


async def _jobs(place: Place, pipeline: str) -> list[dict[str, Any]]:
    """The jobs of a pipeline, with those that were tried again, in the order in which they began."""
    path, jobs = f"/pipelines/{quote(pipeline, safe='')}/jobs", list[dict[str, Any]]()
    for page in range(1, MOST_PAGES + 1):
        wanted = {"per_page": str(PAGE), "include_retried": "true", "page": str(page)}
        found = (await place.ask("GET", path, params=wanted, remembers=True)).listed()
        jobs += found
        if len(found) < PAGE:
            break
    return sorted(jobs, key=lambda job: (str(job.get("started_at") or "~"), int(job["id"])))


def _latest(jobs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The jobs that count: of those with one name, the one that was made last."""
    by_name: dict[str, dict[str, Any]] = {}
    for job in sorted(jobs, key=lambda job: int(job["id"])):
        by_name[str(job.get("name"))] = job
    return list(by_name.values())


def _part(job: Mapping[str, Any]) -> Part:
    return Part(str(job["id"]), str(job.get("name")), job.get("status") in _ENDS)


def _parts_in(jobs: Sequence[Mapping[str, Any]]) -> list[Part]:
    return [_part(job) for job in jobs if job.get("started_at")]


async def _parts(place: Place, pipeline: str) -> list[Part]:
    return _parts_in(await _jobs(place, pipeline))


async def _trace(place: Place, part: Part, offset: int) -> Piece | None:
    """Reads on in a job's trace. GitLab gives all of it; its storage may know ranges."""
    more = {"range": f"bytes={offset}-", "accept-encoding": "identity"} if offset else {}
    most, accept = most_of(part, offset), (403, 404, 416)
    path = f"/jobs/{part.id}/trace"
    answer = await place.ask("GET", path, more=more, accept=accept, most=most, tail=True, elsewhere=True)
    return piece_of(answer, part, offset)


def _story(jobs: Sequence[Mapping[str, Any]], pipeline: Mapping[str, Any]) -> tuple[str, list[Part]]:
    """Returns what went wrong in words, and the job that failed or ended last."""
    failed = [job for job in jobs if job.get("status") == "failed" and not job.get("allow_failure")]
    errors = [_told(job) for job in failed[:5]]
    words = "; ".join(errors) or str(pipeline.get("yaml_errors") or f"GitLab says: {pipeline.get('status')}.")
    ran = [job for job in failed or jobs if job.get("started_at")]
    if not ran:
        return words, []
    shown = ran[0] if failed else max(ran, key=lambda job: str(job.get("finished_at") or ""))
    return words, [_part(shown)]


def _told(job: Mapping[str, Any]) -> str:
    reason = str(job.get("failure_reason") or "").replace("_", " ")
    return f"Job '{job.get('name')}': failed{f' ({reason})' if reason else ''}"


def _unknown(cure: str) -> RunnerRefused:
    lost = "Whether GitLab has started the pipeline cannot be told: its answer was lost. Look there, then retry."
    return RunnerRefused(f"{lost} {cure}", code="run_unknown")


def _key_name(settings: Mapping[str, Any]) -> str:
    """The variable or input that takes the key; an input must be declared, so there is none unless it is named."""
    return str(settings.get("key", "" if settings.get("pass") == "inputs" else KEY))


def _typed(text: str) -> Any:
    """A value of an input, which GitLab wants as what it is: numbers, booleans and lists are JSON, the rest is text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    plain = isinstance(value, bool | list) or (isinstance(value, int | float) and str(value) == text)
    return value if plain else text


def _is_signed(call: Called, secret: str) -> bool:
    """Whether a call carries the hook's secret token or, for a signing token (`whsec_…`), its signature."""
    if not secret.startswith("whsec_"):
        return hmac.compare_digest(call.headers.get("x-gitlab-token", "").encode(), secret.encode())
    named, at = call.headers.get("webhook-id", ""), call.headers.get("webhook-timestamp", "")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return False
    if not (at.isascii() and at.isdecimal()) or abs(int(at[:15]) - call.now.timestamp()) > WINDOW:
        return False
    made = hmac.new(key, f"{named}.{at}.".encode() + call.body, hashlib.sha256).digest()
    wanted = b"v1," + base64.b64encode(made)
    given = call.headers.get("webhook-signature", "").encode().split()
    return any(hmac.compare_digest(one, wanted) for one in given)
