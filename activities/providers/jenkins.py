"""The provider `jenkins`: jobs of Jenkins, of any type that can be built, in folders and multibranch projects too.

A pipeline is a job's full name (`shop/cart/deploy`); `ref` names a branch of a multibranch project. Parameters are
those that the job declares. The answer to the start names a place in the queue, which becomes a build. When it is lost,
the build is found by the attempt's key, a parameter of the job that `key_parameter` names; without one, it is left to
a person. A build hands outputs back in an archived file `pilothouse-outputs.json`, names to values:

    archiveArtifacts artifacts: 'pilothouse-outputs.json'

Jenkins calls nobody by a signed scheme of its own: the end is seen at the next look.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from activities.engines import ADDRESS, MOST_LOG, Connected, Parameter, Pipeline, begun_after, settings_of, work_of
from activities.runners import Order, Outcome, Status
from activities.web.addresses import link_in
from activities.web.answers import Answer
from activities.web.archives import MOST, outputs_of
from activities.web.client import Web
from config.errors import RunnerRefused, RunnerUnavailable

OUTPUTS = "pilothouse-outputs.json"
QUEUED = "queue:"
"""What a reference begins with while the build has not begun."""
_ENDS: Mapping[str, Status] = {
    "SUCCESS": "succeeded",
    "UNSTABLE": "failed",
    "FAILURE": "failed",
    "NOT_BUILT": "failed",
    "ABORTED": "cancelled",
}
_KINDS = {"BooleanParameterDefinition": "boolean", "ChoiceParameterDefinition": "enum"}
_WITH_KEY = "actions[parameters[name,value]]"
_JOB = f"buildable,url,builds[number,url,queueId,timestamp,{_WITH_KEY}]{{0,100}},property[parameterDefinitions[name]]"
_BUILD = "number,url,building,inProgress,result,artifacts[fileName,relativePath],actions[lastBuiltRevision[SHA1]]"
_WANTED = "property[parameterDefinitions[name,type,description,choices,defaultParameterValue[value]]]"
_NAMES = "fullName,fullDisplayName,description,url,buildable"
_DEPTH = 5
"""How deep the picker looks into folders."""
_TEXT = {"type": "string", "minLength": 1, "maxLength": 250}


class JenkinsEngine:
    """See the module. A reference is the build's number or, before it has begun, `queue:` and its place there."""

    kind = "jenkins"
    settings = settings_of(
        {
            "url": ADDRESS,
            "username": _TEXT,
            "folder": _TEXT,
            "key_parameter": _TEXT,
            "accept_unstable": {"type": "boolean"},
        },
        required=("url",),
    )
    work = work_of({"pipeline": _TEXT, "ref": _TEXT}, required=("pipeline",))

    async def start(self, order: Order, web: Web) -> Outcome:
        """Puts a build into the queue; asked again, finds the one that was put there."""
        place = Place.of(order, web)
        job = (await place.ask("GET", "/api/json", params={"tree": _JOB})).mapping()
        if order.again:
            found = await self._find(order, place, job)
            if found:
                return Outcome("running", found, _link(job))
        declared = _declared(job)
        _require(job, declared, order)
        key = order.connection.get("key_parameter", "")
        given = {**order.parameters, **({key: order.key} if key in declared else {})}
        if declared:
            answer = await place.post("/buildWithParameters", form=given)
        else:
            answer = await place.post("/build")
        queued = re.search(r"/queue/item/(\d+)", answer.headers.get("location", ""))
        if queued is None:
            raise RunnerRefused("Jenkins does not say where in its queue the build is.", code="no_reference")
        return Outcome("running", f"{QUEUED}{queued[1]}", _link(job), look_in=3)

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:
        """Looks at the queue or the build, with what is new in its log; once it is over, reads its outputs."""
        place = Place.of(order, web)
        if reference.startswith(QUEUED):
            found = await self._queued(place, reference)
            if isinstance(found, Outcome):
                return found
            reference = found
        number = quote(reference, safe="")
        answer = await place.ask("GET", f"/{number}/api/json", params={"tree": _BUILD}, accept=(404,))
        if answer.status == 404:
            await place.ask("GET", "/api/json", params={"tree": "url"})
            return Outcome("failed", reference, error="The build is no longer there: it was deleted at Jenkins.")
        build = answer.mapping()
        log, log_offset = await _log(place, number, log_offset)
        result = build.get("result")
        if build.get("building") or build.get("inProgress") or result is None:
            return Outcome("running", reference, _link(build), log=log, log_offset=log_offset)
        status = _ENDS.get(str(result), "failed")
        if result == "UNSTABLE" and order.connection.get("accept_unstable"):
            status = "succeeded"
        error = "" if status == "succeeded" else f"Jenkins says: {result}."
        outputs = _commit(build)
        if status == "succeeded":
            handed, error = await _outputs(place, number, build)
            outputs |= handed
            status = "failed" if error else status
        return Outcome(status, reference, _link(build), outputs, error, log, log_offset)

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Takes the build out of the queue, or stops it."""
        place = Place.of(order, web)
        if not reference:
            job = (await place.ask("GET", "/api/json", params={"tree": _JOB})).mapping()
            reference = await self._find(order, place, job)
            if not reference:
                return
        for _ in range(2):
            if not reference.startswith(QUEUED):
                break
            found = await self._queued(place, reference)
            if isinstance(found, str):
                reference = found
            elif found.is_over or await place.leave_queue(reference.removeprefix(QUEUED)):
                return
        if reference.startswith(QUEUED):
            raise RunnerUnavailable("Jenkins has just taken the build out of its queue.")
        await place.post(f"/{quote(reference, safe='')}/stop")

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks who we are."""
        place = Place(connection.settings, connection.secret, "", web)
        me = (await place.ask_site("GET", "/whoAmI/api/json")).mapping()
        if me.get("anonymous"):
            return "Jenkins answers, but does not know us: set 'username', and a secret that is its API token."
        return f"Jenkins knows us as {me.get('name')}."

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:
        """Returns the jobs of the connection's folder that can be built, those of folders in it too."""
        folder = connection.settings.get("folder", "")
        place = Place(connection.settings, connection.secret, _path(folder) if folder else "", web)
        tree = f"jobs[{_NAMES}]"
        for _ in range(_DEPTH - 1):
            tree = f"jobs[{_NAMES},{tree}]"
        jobs = (await place.ask("GET", "/api/json", params={"tree": tree})).listed("jobs")
        found: list[Pipeline] = []
        while jobs and len(found) < 100:
            job = jobs.pop(0)
            jobs = [one for one in job.get("jobs") or () if isinstance(one, dict)] + jobs
            name = str(job.get("fullName", "")).removeprefix(f"{folder.strip('/')}/" if folder else "")
            shown = str(job.get("fullDisplayName") or name)
            if job.get("buildable") and search.lower() in f"{name} {shown}".lower():
                found.append(Pipeline(name, shown, str(job.get("description") or "")[:200], _link(job)))
        return found

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:
        """Returns the parameters that the job declares."""
        path = _path(connection.settings.get("folder", ""), pipeline)
        place = Place(connection.settings, connection.secret, path, web)
        job = (await place.ask("GET", "/api/json", params={"tree": _WANTED})).mapping()
        key = connection.settings.get("key_parameter")
        return [_parameter(name, one) for name, one in _declared(job).items() if name != key]

    async def _queued(self, place: Place, reference: str) -> Outcome | str:
        """Returns the number of the build that something in the queue has become, or how it stands there."""
        queued = reference.removeprefix(QUEUED)
        tree = {"tree": "cancelled,executable[number],task[url]"}
        answer = await place.ask_site(
            "GET", f"/queue/item/{quote(queued, safe='')}/api/json", params=tree, accept=(404,)
        )
        if answer.status == 404:
            job = (await place.ask("GET", "/api/json", params={"tree": _JOB})).mapping()
            for build in job.get("builds") or ():
                if str(build.get("queueId")) == queued:
                    return str(build["number"])
            error = "Jenkins has neither a build of it nor a place in the queue any more: it was deleted, or restarted."
            return Outcome("failed", reference, error=error)
        item = answer.mapping()
        executable = item.get("executable")
        if isinstance(executable, dict) and executable.get("number") is not None:
            return str(executable["number"])
        if item.get("cancelled"):
            return Outcome("cancelled", reference, error="It was taken out of Jenkins' queue.")
        return Outcome("running", reference, _link(item.get("task") or {}))

    async def _find(self, order: Order, place: Place, job: Mapping[str, Any]) -> str:
        """Returns what the key has started, in the queue or built; nothing if there is no such thing.

        Raises RunnerRefused when nothing tells it from another one.
        """
        tree = f"items[id,task[url],{_WITH_KEY}]"
        queue = (await place.ask_site("GET", "/queue/api/json", params={"tree": tree})).listed("items")
        again = (await place.ask("GET", "/api/json", params={"tree": _JOB})).mapping()
        builds = [one for one in again.get("builds") or () if isinstance(one, dict)]
        if order.connection.get("key_parameter") in _declared(job):
            built = next((str(one["number"]) for one in builds if _has_key(one, order.key)), "")
            queued = next((f"{QUEUED}{one['id']}" for one in queue if _has_key(one, order.key)), "")
            return built or queued
        since = begun_after(order).timestamp() * 1_000
        waiting = [one for one in queue if (one.get("task") or {}).get("url") == job.get("url")]
        if waiting or any(float(one.get("timestamp") or 0) >= since for one in builds):
            raise RunnerRefused(
                "Whether Jenkins has started the job cannot be told: its answer was lost. Look there, then retry. "
                "Name a parameter of the job under 'key_parameter' in the connection to avoid this.",
                code="run_unknown",
            )
        return ""


class Place:
    """One job at a Jenkins."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, path: str, web: Web) -> None:
        self._base, self._path, self._web = settings["url"].rstrip("/"), path, web
        name = settings.get("username")
        self._auth = (str(name), secret) if secret and name else None
        self._headers = {"authorization": f"Bearer {secret}"} if secret and not name else {}

    @classmethod
    def of(cls, order: Order, web: Web) -> Place:
        """Returns where the job of an order is. Raises RunnerRefused when its name cannot be one."""
        path = _path(order.connection.get("folder", ""), order.spec["pipeline"])
        branch = order.spec.get("ref", "")
        if branch:
            path += f"/job/{quote(quote(branch, safe=''), safe='')}"
        return cls(order.connection, order.secret, path, web)

    async def ask(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the job."""
        return await self.ask_site(method, f"{self._path}{path}", **rest)

    async def ask_site(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the whole Jenkins."""
        headers = {**self._headers, **rest.pop("headers", {})}
        return await self._web.ask(method, f"{self._base}{path}", headers=headers, auth=self._auth, **rest)

    async def leave_queue(self, queued: str) -> bool:
        """Takes a build out of the queue; says whether it was still there."""
        answer = await self.post("", at=f"/queue/cancelItem?id={quote(queued, safe='')}")
        return answer.status != HTTPStatus.NOT_FOUND

    async def post(self, path: str, *, at: str = "", form: Mapping[str, str] | None = None) -> Answer:
        """Asks for a change, with a crumb if Jenkins wants one: passwords need it, API tokens do not."""
        accept = (HTTPStatus.FOUND, HTTPStatus.SEE_OTHER, HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)
        target = at or f"{self._path}{path}"
        answer = await self.ask_site("POST", target, form=form, accept=accept)
        if answer.status == HTTPStatus.FORBIDDEN and "crumb" in answer.text.lower():
            issued = await self.ask_site("GET", "/crumbIssuer/api/json")
            crumb = issued.mapping()
            cookie = "; ".join(f"{name}={value}" for name, value in issued.cookies.items())
            headers = {str(crumb["crumbRequestField"]): str(crumb["crumb"]), **({"cookie": cookie} if cookie else {})}
            answer = await self.ask_site("POST", target, form=form, accept=accept, headers=headers)
        is_start = path.startswith("/build")
        if answer.status == HTTPStatus.FORBIDDEN or (is_start and answer.status == HTTPStatus.NOT_FOUND):
            raise self._web.error("POST", answer)
        return answer


def jenkins_engine() -> JenkinsEngine:
    """Returns the engine."""
    return JenkinsEngine()


def _path(*names: str) -> str:
    """The path of a job by its full name. Raises RunnerRefused when that cannot be one."""
    parts = [part for name in names for part in name.strip("/").split("/") if name]
    if not parts or any(part in ("", ".", "..") for part in parts):
        raise RunnerRefused(f"'{names[-1]}' cannot be a job; write it like shop/deploy.", code="no_pipeline")
    return "".join(f"/job/{quote(part, safe='')}" for part in parts)


def _require(job: Mapping[str, Any], declared: Collection[str], order: Order) -> None:
    """Raises RunnerRefused when Jenkins would not build the job, or would leave parameters out without a word."""
    name = order.spec["pipeline"]
    if "buildable" not in job:
        raise RunnerRefused(f"'{name}' holds other jobs: name one of them, or a branch.", code="no_pipeline")
    if not job["buildable"]:
        raise RunnerRefused(f"'{name}' is disabled at Jenkins.", code="no_pipeline")
    unknown = [parameter for parameter in order.parameters if parameter not in declared]
    if unknown:
        raise RunnerRefused(
            f"Jenkins does not know these parameters of '{name}': {', '.join(sorted(unknown))}. Declare them in the "
            "job; what a Jenkinsfile declares is known after its first build.",
            code="parameter_unknown",
        )


def _declared(job: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    lists = [one.get("parameterDefinitions") or [] for one in job.get("property") or () if isinstance(one, dict)]
    return {str(one["name"]): one for definitions in lists for one in definitions if one.get("name")}


def _has_key(shown: Mapping[str, Any], key: str) -> bool:
    actions = [one for one in shown.get("actions") or () if isinstance(one, dict)]
    return any(given.get("value") == key for one in actions for given in one.get("parameters") or ())


def _link(shown: Mapping[str, Any]) -> str:
    return link_in(shown.get("url"))


def _commit(build: Mapping[str, Any]) -> dict[str, str]:
    for action in build.get("actions") or ():
        revision = action.get("lastBuiltRevision") if isinstance(action, dict) else None
        if isinstance(revision, dict) and revision.get("SHA1"):
            return {"commit": str(revision["SHA1"])}
    return {}


async def _log(place: Place, number: str, offset: int) -> tuple[str, int]:
    """Returns what the build has written since an offset, and the next one; of much, the end only.

    While it goes on only whole lines are taken: a secret is never split between two looks, so it is always masked.
    """
    path, start = f"/{number}/logText/progressiveText", {"start": offset}
    answer = await place.ask("GET", path, params=start, accept=(403, 404), most=MOST_LOG, tail=True)
    if answer.status != HTTPStatus.OK:
        return "", offset
    size = answer.headers.get("x-text-size", "")
    end = int(size) if size.isdecimal() else offset + len(answer.body)
    is_open = answer.headers.get("x-more-data") == "true"
    body = answer.body[: answer.body.rfind(b"\n") + 1] if is_open else answer.body
    text = body.decode(errors="replace")
    told = f"… (something is left out)\n{text.partition(chr(10))[2]}" if answer.is_cut else text
    return told, end - len(answer.body) + len(body)


async def _outputs(place: Place, number: str, build: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """Returns the outputs that the build has handed back, and what is wrong with them."""
    paths = [str(one.get("relativePath")) for one in build.get("artifacts") or () if one.get("fileName") == OUTPUTS]
    if not paths:
        return {}, ""
    path = f"/{number}/artifact/{quote(paths[0])}"
    answer = await place.ask("GET", path, most=MOST, tail=True, elsewhere=True)
    if answer.is_cut:
        return {}, f"{OUTPUTS} is larger than {MOST} bytes."
    try:
        return outputs_of(answer.body), ""
    except ValueError as error:
        return {}, f"{OUTPUTS} cannot be used: {error}."


def _parameter(name: str, one: Mapping[str, Any]) -> Parameter:
    kind = str(one.get("type") or one.get("_class") or "").rpartition(".")[2]
    choices = tuple(str(choice) for choice in one.get("choices") or ())
    default = (one.get("defaultParameterValue") or {}).get("value")
    text = (
        "" if default is None or "Password" in kind else default if isinstance(default, str) else str(default).lower()
    )
    return Parameter(name, _KINDS.get(kind, "string"), str(one.get("description") or ""), text, choices)
