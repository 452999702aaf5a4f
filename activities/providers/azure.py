"""The provider `azure`: YAML pipelines of Azure DevOps.

A pipeline is its number or its name. Parameters become template parameters, except those that the activity names under
`settings.variables`. Azure DevOps knows no idempotency key, so a run whose start was not answered is found by the key,
which a template parameter takes (and Azure DevOps shows again with the run):

    parameters:
      - {name: pilothouse, type: string, default: ""}      # with `key_parameter: pilothouse` in the connection

A pipeline hands outputs back in a pipeline artifact `pilothouse-outputs` that holds `outputs.json`, names to values.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
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
from activities.web.archives import ARTIFACT, OUTPUTS, outputs_of, read_member
from activities.web.client import Web
from config.errors import NotPermitted, RunnerRefused

PUBLIC = "https://dev.azure.com"
API = "7.1"
MOST_ARTIFACT = 8 * 1024 * 1024
_ENDS: Mapping[str, Status] = {"succeeded": "succeeded", "canceled": "cancelled"}
_NAME = {
    "type": "string",
    "pattern": r"^[^/\\?#\s][^/\\?#]{0,127}$",
    "x-words": "the name of an organization or project",
    "x-cure": "Write only its name, not its address.",
}
_PARAMETER = {"type": "string", "pattern": r"^[A-Za-z_][A-Za-z0-9_]{0,99}$", "x-words": "the name of a parameter"}
_REF = {"type": "string", "minLength": 1, "maxLength": 250}


class AzureEngine:
    """See the module. A reference is the run's id, which is its build's."""

    kind = "azure"
    settings = settings_of(
        {
            "url": ADDRESS,
            "organization": _NAME,
            "project": _NAME,
            "token": {"enum": ["pat", "bearer"]},
            "ref": _REF,
            "key_parameter": _PARAMETER,
            "hook": settings_of({"secret": SECRET, "username": {"type": "string", "minLength": 1}}, ("secret",)),
        },
        required=("organization", "project"),
    )
    work = work_of(
        {
            "pipeline": {"type": "string", "minLength": 1},
            "ref": _REF,
            "settings": settings_of(
                {
                    "variables": {"type": "array", "items": {"type": "string"}, "maxItems": 100},
                    "accept_partial": {"type": "boolean"},
                }
            ),
        },
        required=("pipeline",),
    )

    async def start(self, order: Order, web: Web) -> Outcome:
        """Runs the pipeline; asked again, finds the run that was started."""
        project = Project(order.connection, order.secret, web)
        pipeline = await project.number_of(order.spec["pipeline"])
        if order.again:
            build = await _find(order, project, pipeline)
            if build is not None:
                return Outcome("running", str(build["id"]), _link(build))
        answer = await project.ask("POST", f"/pipelines/{pipeline}/runs", json=_body(order))
        run = answer.mapping()
        return Outcome("running", str(run["id"]), _link(run))

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:
        """Looks at the run; follows its steps' logs and, once it is over, reads its outputs."""
        project = Project(order.connection, order.secret, web)
        build = await project.build(reference)
        if build is None:
            return Outcome("failed", reference, error="The run is no longer there: it was deleted in Azure DevOps.")
        read = partial(_log, project, reference)
        if build.get("status") != "completed":
            running = Outcome("running", reference, _link(build), log_offset=log_offset)
            if build.get("status") == "notStarted":
                return running
            return replace(running, **await followed(_parts(project, reference), order, log_offset, read))
        result = str(build.get("result"))
        status = _ENDS.get(result, "failed")
        if result == "partiallySucceeded" and order.spec.get("settings", {}).get("accept_partial"):
            status = "succeeded"
        records = await _records(project, reference)
        error, shown = _story(records, result)
        grown = await ended(_parts_in(records), order, log_offset, read, shown)
        outputs = {"commit": str(build["sourceVersion"])} if build.get("sourceVersion") else {}
        if status == "succeeded":
            handed, error = await _outputs(project, build, web)
            outputs |= handed
            status = "failed" if error else status
        return Outcome(status, reference, _link(build), outputs, error, **grown)

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Cancels the run; one that is over stays as it ended."""
        project = Project(order.connection, order.secret, web)
        if reference:
            build = await project.build(reference)
        else:
            build = await _find(order, project, await project.number_of(order.spec["pipeline"]))
        if build is not None and build.get("status") not in ("completed", "cancelling"):
            await project.ask("PATCH", f"/build/builds/{build['id']}", json={"status": "cancelling"}, accept=(404, 409))

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks who we are, and for the project."""
        project = Project(connection.settings, connection.secret, web)
        told = (await project.ask_all("GET", "/connectionData", params={"api-version": f"{API}-preview"})).mapping()
        who = told.get("authenticatedUser")
        name = who.get("providerDisplayName") if isinstance(who, dict) else None
        found = await project.ask_all("GET", f"/projects/{quote(connection.settings['project'], safe='')}")
        return f"Azure DevOps knows us as {name or 'somebody'}, who can see {found.mapping().get('name')}."

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:
        """Returns the project's pipelines."""
        project = Project(connection.settings, connection.secret, web)
        answer = await project.ask("GET", "/pipelines", params={"$top": 1_000, "orderBy": "name asc"})
        found = [
            Pipeline(
                str(one["id"]),
                str(one.get("name") or one["id"]),
                str(one.get("folder") or "").strip("\\"),
                project.page(f"_build?definitionId={one['id']}"),
            )
            for one in answer.listed("value")
        ]
        return [one for one in found if search.lower() in f"{one.id} {one.description} {one.name}".lower()][:100]

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:
        """Returns the template parameters that the pipeline's file declares, if it lies in Azure Repos."""
        project = Project(connection.settings, connection.secret, web)
        number = await project.number_of(pipeline)
        definition = (await project.ask("GET", f"/build/definitions/{number}")).mapping()
        declared = await _declared(project, definition)
        key = connection.settings.get("key_parameter")
        return [_parameter(one) for one in declared if one.get("name") and one["name"] != key]

    def called(self, call: Called, connection: Connected) -> Collection[str]:
        """Returns the run that a call of a service hook is about, which carries its name and password."""
        hook = connection.hook()
        wanted = base64.b64encode(f"{hook.get('username', 'pilothouse')}:{hook['secret']}".encode()).decode()
        given = call.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Basic {wanted}".encode()):
            raise NotPermitted("The call does not carry the right name and password.", code="bad_signature")
        resource = call.told().get("resource")
        if not isinstance(resource, dict):
            return ()
        run = resource.get("run")
        found = run.get("id") if isinstance(run, dict) else resource.get("id")
        return (str(found),) if isinstance(found, int | str) and found else ()


class Project:
    """One project of a connection."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, web: Web) -> None:
        self._web = web
        self._base = f"{settings.get('url', PUBLIC).rstrip('/')}/{quote(settings['organization'], safe='')}"
        self._project = quote(settings["project"], safe="")
        self._headers = {"accept": "application/json", "x-tfs-fedauthredirect": "Suppress"}
        self._auth: tuple[str, str] | None = None
        if secret and settings.get("token") == "bearer":
            self._headers["authorization"] = f"Bearer {secret}"
        elif secret:
            self._auth = "", secret

    async def ask_all(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the organization. Raises RunnerRefused when only a page to sign in comes back."""
        params = {"api-version": API, **rest.pop("params", {})}
        headers = {**self._headers, **rest.pop("headers", {})}
        url = f"{self._base}{path if path.startswith(f'/{self._project}/_apis') else f'/_apis{path}'}"
        answer = await self._web.ask(method, url, params=params, headers=headers, auth=self._auth, **rest)
        if answer.status in (203, 302):
            raise RunnerRefused("Azure DevOps does not accept the token: it wants us to sign in.", code="engine_denied")
        return answer

    async def ask(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the project."""
        return await self.ask_all(method, f"/{self._project}/_apis{path}", **rest)

    async def build(self, number: str) -> dict[str, Any] | None:
        """Returns a run as the build it is, None if there is none."""
        answer = await self.ask("GET", f"/build/builds/{quote(number, safe='')}", accept=(404,))
        return None if answer.status == 404 else answer.mapping()

    async def number_of(self, pipeline: str) -> int:
        """Returns the number of a pipeline. Raises RunnerRefused unless just one has that name."""
        if re.fullmatch(r"[0-9]{1,9}", pipeline):
            return int(pipeline)
        answer = await self.ask("GET", "/build/definitions", params={"name": pipeline})
        found = [one for one in answer.listed("value") if one.get("name") == pipeline]
        if len(found) != 1:
            many = "several pipelines" if found else "no pipeline"
            raise RunnerRefused(f"The project has {many} '{pipeline}': name it by its number.", code="no_pipeline")
        return int(found[0]["id"])

    def page(self, path: str) -> str:
        """Returns the address of one of the project's pages."""
        return f"{self._base}/{self._project}/{path}"


def azure_engine() -> AzureEngine:
    """Returns the engine."""
    return AzureEngine()


def _body(order: Order) -> dict[str, Any]:
    """What a run is started with."""
    as_variables = set(order.spec.get("settings", {}).get("variables", ()))
    given = {name: value for name, value in order.parameters.items() if name not in as_variables}
    key = order.connection.get("key_parameter")
    body: dict[str, Any] = {"templateParameters": {**given, **({key: order.key} if key else {})}}
    variables = {name: {"value": value} for name, value in order.parameters.items() if name in as_variables}
    if variables:
        body["variables"] = variables
    ref = order.spec.get("ref") or order.connection.get("ref")
    if ref:
        full = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
        body["resources"] = {"repositories": {"self": {"refName": full}}}
    return body


async def _find(order: Order, project: Project, pipeline: int) -> dict[str, Any] | None:
    """Returns the run that was started for an order, None if there is none.

    Raises RunnerRefused when nothing tells it from another one.
    """
    since = begun_after(order)
    wanted = {
        "definitions": pipeline, "minTime": f"{since:%Y-%m-%dT%H:%M:%SZ}", "queryOrder": "queueTimeDescending",
        "$top": 200,
    }  # fmt: skip
    builds = (await project.ask("GET", "/build/builds", params=wanted)).listed("value")
    key = order.connection.get("key_parameter")
    if key:
        return next((one for one in builds if (one.get("templateParameters") or {}).get(key) == order.key), None)
    if builds:
        raise RunnerRefused(
            "Whether Azure DevOps has started the pipeline cannot be told: its answer was lost. Look there, then "
            "retry. Set 'key_parameter' in the connection and declare that parameter in the pipeline to avoid this.",
            code="run_unknown",
        )
    return None


async def _records(project: Project, build: str) -> list[dict[str, Any]]:
    """The stages, jobs and steps of a run."""
    timeline = await project.ask("GET", f"/build/builds/{quote(build)}/timeline", accept=(404,))
    found = timeline.mapping().get("records") if timeline.status == 200 and timeline.body != b"null" else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _part(step: Mapping[str, Any]) -> Part:
    log = step.get("log")
    number = log.get("id") if isinstance(log, dict) else None
    over = step.get("state") == "completed" or step.get("result") is not None
    return Part(str(step.get("id")), str(step.get("name")), over, str(number or ""))


def _parts_in(records: Sequence[Mapping[str, Any]]) -> list[Part]:
    """The steps that have begun; a step that goes on has a log once its agent has sent some of it."""
    steps = [one for one in records if one.get("type") == "Task" and one.get("result") != "skipped"]
    begun = [one for one in steps if one.get("startTime")]
    return [_part(one) for one in sorted(begun, key=lambda one: (str(one["startTime"]), int(one.get("order") or 0)))]


async def _parts(project: Project, build: str) -> list[Part]:
    return _parts_in(await _records(project, build))


async def _log(project: Project, build: str, part: Part, offset: int) -> Piece | None:
    if not part.log:
        return None
    answer = await project.ask(
        "GET",
        f"/build/builds/{quote(build)}/logs/{part.log}",
        headers={"accept": "text/plain"},
        accept=(403, 404, 410),
        most=most_of(part, offset),
        tail=True,
    )
    return piece_of(answer, part, offset)


def _story(records: Sequence[Mapping[str, Any]], result: str) -> tuple[str, list[Part]]:
    """Returns what went wrong in words, and the step that failed or came last."""
    steps = [one for one in records if one.get("type") == "Task" and one.get("result") not in (None, "skipped")]
    failed = [one for one in steps if one.get("result") in ("failed", "canceled", "abandoned")]
    failed.sort(key=lambda one: (one.get("result") != "failed", str(one.get("startTime"))))
    told = [_told(one) for one in failed or records if one in failed or _issues(one)]
    error = "; ".join(told[:5]) or f"Azure DevOps says: {result}."
    logged = [one for one in failed or sorted(steps, key=lambda one: str(one.get("finishTime"))) if one.get("log")]
    return error, [_part(logged[0] if failed else logged[-1])] if logged else []


def _issues(record: Mapping[str, Any]) -> list[str]:
    issues = [one for one in record.get("issues") or () if isinstance(one, dict) and one.get("type") == "error"]
    return [str(one["message"]).strip() for one in issues if one.get("message")]


def _told(record: Mapping[str, Any]) -> str:
    said = _issues(record)
    return f"'{record.get('name')}': {said[0] if said else record.get('result')}"


async def _outputs(project: Project, build: Mapping[str, Any], web: Web) -> tuple[dict[str, str], str]:
    """Returns the outputs that the run has handed back, and what is wrong with them."""
    path = f"/pipelines/{build['definition']['id']}/runs/{build['id']}/artifacts"
    wanted = {"artifactName": ARTIFACT, "$expand": "signedContent"}
    answer = await project.ask("GET", path, params=wanted, accept=(404,))
    if answer.status == 404 or answer.body in (b"", b"null"):
        return {}, ""
    signed = answer.mapping().get("signedContent")
    url = signed.get("url") if isinstance(signed, dict) else None
    if not isinstance(url, str):
        return {}, f"The artifact {ARTIFACT} is no pipeline artifact: publish it with 'publish'."
    archive = await web.ask("GET", url, most=MOST_ARTIFACT, elsewhere=True)
    try:
        content = read_member(archive.body, f"{ARTIFACT}/{OUTPUTS}") or read_member(archive.body, OUTPUTS)
        if content is None:
            return {}, f"The artifact {ARTIFACT} holds no {OUTPUTS}."
        return outputs_of(content), ""
    except ValueError as error:
        return {}, f"The artifact {ARTIFACT} cannot be used: {error}."


async def _declared(project: Project, definition: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The `parameters` of the pipeline's file, none if it is kept elsewhere."""
    repository, file = definition.get("repository") or {}, (definition.get("process") or {}).get("yamlFilename")
    if repository.get("type") != "TfsGit" or not file:
        return []
    path = f"/git/repositories/{quote(str(repository.get('id')), safe='')}/items"
    answer = await project.ask("GET", path, params={"path": file, "$format": "text"}, headers={"accept": "text/plain"})
    try:
        document = yaml.safe_load(answer.text)
    except (yaml.YAMLError, ValueError, RecursionError):
        document = None
    found = document.get("parameters") if isinstance(document, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _parameter(declared: Mapping[str, Any]) -> Parameter:
    kind = {"boolean": "boolean", "number": "number"}.get(str(declared.get("type")), "string")
    values = declared.get("values")
    options = tuple(str(one) for one in values) if isinstance(values, list) else ()
    default = declared.get("default")
    text = "" if default is None else default if isinstance(default, str) else json.dumps(default)
    about = str(declared.get("displayName") or "")
    return Parameter(
        str(declared["name"]), "enum" if options else kind, about, text, options, "default" not in declared
    )


def _link(shown: Mapping[str, Any]) -> str:
    links = shown.get("_links")
    page = links.get("web") if isinstance(links, dict) else None
    return link_in(page.get("href") if isinstance(page, dict) else None)
