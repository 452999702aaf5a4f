"""The provider `buildbot`: builds of Buildbot (0.9 or newer), through its REST API.

A pipeline is a force scheduler's name, or `scheduler/builder` where it forces several. Parameters become its fields,
and so the build's properties. The attempt's key is part of the reason, which Buildbot shows again: so what was started
is found when the answer was lost. A build hands outputs back in its property `pilothouse_outputs`, names to values as
a mapping or as JSON:

    steps.SetPropertyFromCommand(command=["cat", "outputs.json"], property="pilothouse_outputs")

With `username` a session is opened with the secret as its password; else the secret goes along as a bearer token.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
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
from activities.providers.buildbot_logs import part_of, parts_of, read_log, steps_of
from activities.providers.buildbot_place import Place, first
from activities.providers.growing import Part, ended, followed
from activities.runners import Order, Outcome, Status
from activities.web.archives import outputs_of
from activities.web.client import Web
from config.errors import NotPermitted, RunnerRefused

OUTPUTS = "pilothouse_outputs"
_ENDS: Mapping[int, tuple[Status, str]] = {
    0: ("succeeded", "success"),
    1: ("failed", "warnings"),
    2: ("failed", "failure"),
    3: ("failed", "skipped"),
    4: ("failed", "exception"),
    5: ("failed", "retry"),
    6: ("cancelled", "cancelled"),
}
_UNBUILT = {
    3: "Buildbot has merged the request into another one, or skipped it: let the builder have collapseRequests=False.",
    6: "It was cancelled before it was built.",
}
_BY_SEVERITY = (6, 5, 4, 2, 3, 1, 0)
"""Buildbot itself counts a buildset of which everything was skipped as a success."""
_KINDS = {"bool": "boolean", "int": "number", "list": "enum"}
_OWN = ("reason", "username", "owner", "priority", "builderid", "builderNames")
"""Fields that are no parameters of a pipeline."""
_TEXT = {"type": "string", "minLength": 1, "maxLength": 250}


class BuildbotEngine:
    """See the module. A reference is the id of the buildset."""

    kind = "buildbot"
    settings = settings_of(
        {
            "url": ADDRESS,
            "username": _TEXT,
            "accept_warnings": {"type": "boolean"},
            "hook": settings_of({"secret": SECRET}, required=("secret",)),
        },
        required=("url",),
    )
    work = work_of({"pipeline": _TEXT}, required=("pipeline",))

    async def start(self, order: Order, web: Web) -> Outcome:
        """Forces the build; asked again, finds the buildset that was made."""
        place = Place(order.connection, order.secret, web)
        name, _, builder = order.spec["pipeline"].partition("/")
        scheduler = await place.scheduler(name)
        fields = _fields(scheduler)
        if order.again:
            found = await self._find(order, place, fields)
            if found:
                return Outcome("running", found, await place.link(found))
        given = _given(order, scheduler, fields, builder)
        answer = await place.call(f"/forceschedulers/{quote(name, safe='')}", "force", given)
        made = answer.mapping().get("result")
        if not isinstance(made, list) or len(made) != 2:
            raise RunnerRefused("Buildbot does not say what it has started.", code="no_reference")
        requests = list(made[1].values()) if isinstance(made[1], dict) else []
        return Outcome("running", str(made[0]), place.link_of(requests[0]) if requests else "")

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:
        """Looks at the buildset; follows its steps' logs and, once it is over, reads its outputs."""
        place = Place(order.connection, order.secret, web)
        answer = await place.ask(f"/buildsets/{quote(reference, safe='')}", accept=(404,))
        if answer.status == 404:
            return Outcome("failed", reference, error="The build is no longer there: it was deleted at Buildbot.")
        buildset = first(answer, "buildsets")
        read = partial(read_log, place)
        if not buildset.get("complete"):
            grown = await followed(parts_of(place, reference), order, log_offset, read)
            return Outcome("running", reference, **grown)
        requests = await place.requests(reference)
        code = _worst([buildset.get("results"), *(one.get("results") for one in requests)])
        status, said = _ENDS.get(code, ("failed", "unknown"))
        if said == "warnings" and order.connection.get("accept_warnings"):
            status = "succeeded"
        builds = [one for request in requests for one in (await place.builds(request))[:1]]
        shown = next((one for one in builds if one.get("results") == code), None)
        shown = shown or (builds[-1] if builds else None)
        if shown is None:
            end: Status = "cancelled" if status == "cancelled" else "failed"
            return Outcome(end, reference, error=_UNBUILT.get(code, f"Buildbot says: {said}; nothing was built."))
        error, last = await self._story(place, shown, said)
        begun = await parts_of(place, reference) if log_offset else []
        grown = await ended(begun, order, log_offset, read, last)
        outputs, fault = await self._outputs(place, builds)
        if status == "succeeded":
            status, error = ("failed", fault) if fault else (status, "")
        link = place.link_of(shown["buildrequestid"])
        return Outcome(status, reference, link, outputs, error, **grown)

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Stops what is being built of the buildset, and takes back what is not yet."""
        place = Place(order.connection, order.secret, web)
        if not reference:
            name = order.spec["pipeline"].partition("/")[0]
            reference = await self._find(order, place, _fields(await place.scheduler(name)))
        reason = {"reason": f"Cancelled by Pilothouse {order.key}"}
        for request in await place.requests(reference) if reference else ():
            if request.get("complete"):
                continue
            running = [one for one in await place.builds(request) if not one.get("complete")]
            for build in running:
                await place.call(f"/builds/{build['buildid']}", "stop", reason, accept=(404,))
            if not running:
                await place.call(f"/buildrequests/{request['buildrequestid']}", "cancel", reason, accept=(404,))

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks who we are."""
        place = Place(connection.settings, connection.secret, web)
        await place.sign_in()
        await place.ask("/forceschedulers")
        answer = await place.ask("/config", accept=(404,), api="")
        user = answer.mapping().get("user") if answer.status == HTTPStatus.OK else None
        name = (user.get("username") or user.get("email")) if isinstance(user, dict) else None
        name = name or connection.settings.get("username")
        return f"Buildbot knows us as {name}." if name else "Buildbot answers; it does not say who we are."

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:
        """Returns the force schedulers, and each builder of those that have several."""
        place = Place(connection.settings, connection.secret, web)
        found = []
        for one in (await place.ask("/forceschedulers")).listed("forceschedulers"):
            name, builders = str(one.get("name")), [str(builder) for builder in one.get("builder_names") or ()]
            label = str(one.get("label") or name)
            if one.get("enabled", True):
                found.append(Pipeline(name, label, ", ".join(builders)[:200]))
                found += [Pipeline(f"{name}/{one}", f"{label}: {one}") for one in builders if len(builders) > 1]
        return [one for one in found if search.lower() in f"{one.id} {one.name}".lower()][:100]

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:
        """Returns the fields that the scheduler asks for."""
        place = Place(connection.settings, connection.secret, web)
        fields = _fields(await place.scheduler(pipeline.partition("/")[0]))
        return [_parameter(name, one) for name, one in fields.items() if name not in _OWN and one["type"] != "fixed"]

    def called(self, call: Called, connection: Connected) -> Collection[str]:
        """Returns the buildset of a build that HttpStatusPush tells of, with the hook's secret as its token."""
        hook = connection.hook()
        given, wanted = call.headers.get("authorization", ""), f"Bearer {hook['secret']}"
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise NotPermitted("The call is not signed as it should be.", code="bad_signature")
        buildset = call.told().get("buildset")
        found = buildset.get("bsid") if isinstance(buildset, dict) else None
        return [str(found)] if found else []

    async def _find(self, order: Order, place: Place, fields: Mapping[str, Any]) -> str:
        """Returns the buildset whose reason names the key; nothing if there is none.

        Raises RunnerRefused when the scheduler leaves the reason out, so that nothing tells it from another one.
        """
        wanted = {"reason__contains": order.key, "order": "-bsid", "limit": 10}
        found = (await place.ask("/buildsets", params=wanted)).listed("buildsets")
        named = next((one for one in found if order.key in str(one.get("reason"))), None)
        if named is not None or fields.get("reason", {}).get("type") != "fixed":
            return str(named["bsid"]) if named is not None else ""
        since = int(begun_after(order).timestamp())
        if (await place.ask("/buildsets", params={"submitted_at__ge": since, "limit": 1})).listed("buildsets"):
            raise RunnerRefused(
                "Whether Buildbot has started the build cannot be told: its answer was lost. Look there, then retry. "
                "Let the scheduler take a reason (not a fixed one) to avoid this.",
                code="run_unknown",
            )
        return ""

    async def _story(self, place: Place, build: Mapping[str, Any], said: str) -> tuple[str, list[Part]]:
        """Returns what went wrong in words, and the step that failed, or those that came last."""
        steps = await steps_of(place, [build])
        failed = [one for one in steps if one.get("results") not in (0, 1, 3, None)]
        errors = [f"Step '{one.get('name')}': {one.get('state_string') or said}" for one in failed[:5]]
        shown = failed[:1] or reversed(steps[-5:])
        return "; ".join(errors) or f"Buildbot says: {said}.", [part_of(one) for one in shown]

    async def _outputs(self, place: Place, builds: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str], str]:
        """Returns the outputs that builds have handed back, and what is wrong with them."""
        outputs: dict[str, str] = {}
        for build in builds:
            answer = await place.ask(f"/builds/{build['buildid']}/properties")
            properties = first(answer, "_properties") or first(answer, "properties")
            revision, handed = _value(properties.get("got_revision")), _value(properties.get(OUTPUTS))
            if isinstance(revision, str) and revision:
                outputs["commit"] = revision
            if handed is not None:
                content = handed if isinstance(handed, str) else json.dumps(handed)
                try:
                    outputs |= outputs_of(content.encode())
                except ValueError as error:
                    return (
                        outputs,
                        f"The property {OUTPUTS} cannot be used: {str(error).replace('outputs.json', 'it')}.",
                    )
        return outputs, ""


def buildbot_engine() -> BuildbotEngine:
    """Returns the engine."""
    return BuildbotEngine()


def _value(of: Any) -> Any:
    """The value of a property, which comes with its source."""
    return of[0] if isinstance(of, list) and of else None


def _worst(results: Sequence[Any]) -> int:
    """The worst of results; -1 if one of them is none that is known."""
    if any(one not in _BY_SEVERITY for one in results):
        return -1
    return next(code for code in _BY_SEVERITY if code in results)


def _fields(scheduler: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of a scheduler by their full names, those inside others too."""
    return {str(one["fullName"]): one for one in _flat(scheduler.get("all_fields")) if one.get("fullName")}


def _flat(fields: Any) -> Iterator[dict[str, Any]]:
    for one in fields if isinstance(fields, list) else ():
        if one.get("type") == "nested":
            yield from _flat(one.get("fields"))
        else:
            yield one


def _given(order: Order, scheduler: Mapping[str, Any], fields: Mapping[str, Any], builder: str) -> dict[str, Any]:
    """What a scheduler is told. Raises RunnerRefused for what it would not take, or would leave out without a word."""
    name, builders = scheduler.get("name"), scheduler.get("builder_names") or []
    if not scheduler.get("enabled", True):
        raise RunnerRefused(f"The scheduler '{name}' is disabled at Buildbot.", code="no_pipeline")
    if builder and builder not in builders:
        raise RunnerRefused(f"The scheduler '{name}' does not force '{builder}'.", code="no_pipeline")
    unknown = [one for one in order.parameters if one != "reason" and (one in _OWN or one not in fields)]
    if unknown:
        said = f"The scheduler '{name}' has no field of these names: {', '.join(sorted(unknown))}."
        raise RunnerRefused(said, code="parameter_unknown")
    given = {one: _typed(text, fields.get(one, {})) for one, text in order.parameters.items()}
    given["reason"] = " ".join(filter(None, (order.parameters.get("reason"), f"Pilothouse {order.key}")))
    return {**given, **({"builderNames": [builder]} if builder else {})}


def _typed(text: str, field: Mapping[str, Any]) -> Any:
    if field.get("type") == "bool":
        return text.strip().lower() in ("true", "1", "yes", "on")
    if not field.get("multiple"):
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, list) else [text]


def _parameter(name: str, field: Mapping[str, Any]) -> Parameter:
    default = field.get("default")
    text = default if isinstance(default, str) else "" if default is None else json.dumps(default)
    options = tuple(str(choice) for choice in field.get("choices") or ())
    described = str(field.get("tooltip") or field.get("label") or "").rstrip(":")
    kind = "string" if field.get("multiple") else _KINDS.get(str(field.get("type")), "string")
    return Parameter(name, kind, described, text, options, bool(field.get("required")))
