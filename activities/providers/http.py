"""The provider `http`: anything that can be started and asked over HTTP, described in the connection's settings.

Each pipeline says how it is started and, unless the answer to that is the end, how it is looked at and cancelled:

    pipelines:
      deploy:
        start: {path: /jobs, body: {service: "{service}", key: "{key}"}}
        reference: /id
        look: {path: "/jobs/{reference}"}
        status: /state
        succeeded: [done]
        failed: [broken]

Requests go to the connection's own origin only, so its secret does. A start carries the attempt's key in the header
Idempotency-Key; an engine that ignores it says under `find` how what was started is found by its key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from activities.engines import Called, Connected, Parameter, Pipeline
from activities.providers.growing import Part, Piece, ended, followed, most_of, piece_of
from activities.providers.http_settings import SETTINGS, WORK
from activities.providers.http_templates import OWN_NAMES, as_text, fill, fill_path, fill_texts, look_up, names_in
from activities.runners import Order, Outcome, Status
from activities.web.addresses import link_in, shown
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import Fault, NotPermitted, RunnerRefused

WINDOW = 300
"""Seconds by which the moment that an inbound call names may differ from ours."""
_ENDS: tuple[Status, ...] = ("succeeded", "failed", "cancelled")


class HttpEngine:
    """See the module. A reference is what `reference` leads to in the answer to the start, or the key."""

    kind = "http"
    settings = SETTINGS
    work = WORK

    async def start(self, order: Order, web: Web) -> Outcome:
        """Starts the pipeline; asked again, finds what was started if the pipeline says how."""
        pipeline = _pipeline(order)
        if order.again and "find" in pipeline:
            found = await self._find(order, pipeline, web)
            if found:
                return Outcome("running", found, _link(pipeline, None, order, found))
        settings = order.connection
        key = {settings.get("key_header", "Idempotency-Key"): order.key}
        answer = await send(web, settings, order.secret, {"method": "POST", **pipeline["start"]}, _values(order), key)
        reference = _reference_in(answer, pipeline.get("reference", "")) or order.key
        if "look" not in pipeline:
            return _outcome(answer, pipeline, order, reference, is_final=True)
        return Outcome("running", reference, _link(pipeline, answer, order, reference), look_in=pipeline.get("every"))

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:
        """Looks at what was started; reads the end of its log when it is over, or follows one that grows."""
        pipeline = _pipeline(order)
        if "look" not in pipeline:
            return Outcome("succeeded", reference)
        values = _values(order, reference)
        answer = await send(web, order.connection, order.secret, pipeline["look"], values)
        outcome = _outcome(answer, pipeline, order, reference, is_final=False)
        log, part = pipeline.get("log", {}), Part(reference, "", outcome.is_over)

        async def read(part: Part, offset: int) -> Piece | None:
            answer = await send(web, order.connection, order.secret, log, values, most=most_of(part, offset))
            return piece_of(replace(answer, status=HTTPStatus.OK), part, offset)

        if log and outcome.is_over:
            return replace(outcome, **await ended([part], order, log_offset, read, [part]))
        if log.get("grows"):
            return replace(outcome, **await followed([part], order, log_offset, read))
        return outcome

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Asks for the end, if the pipeline says how."""
        pipeline = _pipeline(order)
        if "cancel" not in pipeline:
            raise RunnerRefused("The connection does not say how this pipeline is cancelled.")
        if not reference and "find" in pipeline:
            reference = await self._find(order, pipeline, web)
            if not reference:
                return
        values = _values(order, reference or order.key)
        request = {"method": "POST", **pipeline["cancel"]}
        await send(web, order.connection, order.secret, request, values, accept=(404, 409, 410))

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks for the path under `check`, or for the address itself."""
        checking = connection.settings.get("check", {})
        path = {"path": checking.get("path", "")}
        answer = await send(web, connection.settings, connection.secret, path, {})
        name = as_text(look_up(answer.json(), checking["name"])) if checking.get("name") else ""
        return f"{shown(connection.settings['url'])} answers{f' and knows us as {name}' if name else ''}."

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:  # noqa: ARG002
        """Returns the pipelines of the settings."""
        found = connection.settings["pipelines"].items()
        all_of = [Pipeline(slug, one.get("name", slug), one.get("description", "")) for slug, one in found]
        wanted = search.lower()
        return [one for one in all_of if wanted in one.id.lower() or wanted in one.name.lower()][:100]

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:  # noqa: ARG002
        """Returns the parameters that the pipeline declares, or those that its requests name."""
        found = connection.settings["pipelines"].get(pipeline)
        if found is None:
            raise RunnerRefused(f"There is no pipeline '{pipeline}'.", code="no_pipeline")
        declared = found.get("parameters")
        if declared is None:
            return [Parameter(name, is_required=True) for name in dict.fromkeys(_named(found))]
        return [
            Parameter(
                name,
                "enum" if one.get("options") else "string",
                one.get("description", ""),
                one.get("default", ""),
                tuple(one.get("options", ())),
                bool(one.get("required")),
            )
            for name, one in declared.items()
        ]

    def called(self, call: Called, connection: Connected) -> Collection[str]:
        """Returns the reference in a call whose body is signed with the hook's secret."""
        hook = connection.hook()
        signed = call.body
        moment = hook.get("timestamp", "").lower()
        if moment:
            at = call.headers.get(moment, "")
            if not at.isdecimal() or abs(int(at[:15]) - call.now.timestamp()) > WINDOW:
                raise NotPermitted("The call is too old, or does not say when it was made.", code="bad_signature")
            signed = f"{at}.".encode() + signed
        given = call.headers.get(hook.get("header", "X-Signature").lower(), "")
        if not hmac.compare_digest(given.encode(), signature(hook, signed).encode()):
            raise NotPermitted("The call is not signed as it should be.", code="bad_signature")
        try:
            found = as_text(look_up(json.loads(call.body), hook["reference"]))
        except (ValueError, RecursionError):
            return ()
        return (found,) if found else ()

    def faults(self, settings: Mapping[str, Any]) -> Iterator[Fault]:
        """Yields what the schema cannot say: what belongs together, and names that nothing fills in."""
        for slug, pipeline in settings.get("pipelines", {}).items():
            place = f"settings.pipelines.{slug}"
            if "look" in pipeline and not (pipeline.get("status") and pipeline.get("succeeded")):
                cure = "Say under 'status' where the answer has the state, and under 'succeeded' which values are good."
                yield Fault(f"{place}.look", "Nothing says when a look has found the end.", cure)
            if "parameters" in pipeline:
                for name in dict.fromkeys(_named(pipeline)):
                    if name not in pipeline["parameters"]:
                        yield Fault(
                            f"{place}.parameters", f"'{name}' is not among the parameters.", "Declare it there."
                        )
            for name in OWN_NAMES:
                if name in pipeline.get("parameters", {}):
                    yield Fault(f"{place}.parameters.{name}", f"'{name}' has a meaning of its own.", "Rename it.")
        if settings.get("auth") == "basic" and not settings.get("username"):
            yield Fault("settings.username", "'username' is missing.", "Basic sign-in needs it.")
        if settings.get("auth") == "header" and not settings.get("header"):
            yield Fault("settings.header", "'header' is missing.", "Name the header that takes the secret.")

    async def _find(self, order: Order, pipeline: Mapping[str, Any], web: Web) -> str:
        request = {name: value for name, value in pipeline["find"].items() if name != "reference"}
        answer = await send(web, order.connection, order.secret, request, _values(order), accept=(404,))
        return "" if answer.status == 404 else as_text(look_up(answer.json(), pipeline["find"].get("reference", "")))


def http_engine() -> HttpEngine:
    """Returns the engine."""
    return HttpEngine()


def signature(signing: Mapping[str, Any], body: bytes) -> str:
    """Returns what a signature header holds for a body."""
    made = hmac.new(signing["secret"].encode(), body, getattr(hashlib, signing.get("algorithm", "sha256")))
    return f"{signing.get('prefix', 'sha256=')}{made.hexdigest()}"


async def send(
    web: Web,
    settings: Mapping[str, Any],
    secret: str | None,
    request: Mapping[str, Any],
    values: Mapping[str, str],
    more: Mapping[str, str] | None = None,
    *,
    accept: Collection[int] = (),
    most: int = 0,
) -> Answer:
    """Sends a request as its template says, signed in and, if the connection says so, with its body signed."""
    url = settings["url"].rstrip("/") + fill_path(request["path"], values)
    headers = {**settings.get("headers", {}), **fill_texts(request.get("headers", {}), values), **(more or {})}
    headers, auth = _signed_in(settings, secret, headers)
    content = None
    if "body" in request:
        content = json.dumps(fill(request["body"], values)).encode()
        headers.setdefault("content-type", "application/json")
    if (signing := settings.get("sign")) is not None:
        headers[signing.get("header", "X-Signature")] = signature(signing, content or b"")
    form = fill_texts(request["form"], values) if "form" in request else None
    query = fill_texts(request["query"], values) if request.get("query") else None
    method = request.get("method", "GET")
    given: dict[str, Any] = {"params": query, "headers": headers, "auth": auth, "content": content, "accept": accept}
    if most:
        return await web.ask(method, url, **given, most=most, tail=True, elsewhere=True)
    return await web.ask(method, url, **given, form=None if content is not None else form)


def _signed_in(
    settings: Mapping[str, Any], secret: str | None, headers: dict[str, str]
) -> tuple[dict[str, str], tuple[str, str] | None]:
    way = settings.get("auth", "bearer")
    if secret is None or way == "none":
        return headers, None
    if way == "basic":
        return headers, (settings.get("username", ""), secret)
    if way == "header":
        return {**headers, settings["header"]: secret}, None
    return {**headers, "authorization": f"Bearer {secret}"}, None


def _pipeline(order: Order) -> Mapping[str, Any]:
    name = order.spec.get("pipeline", "")
    found = order.connection.get("pipelines", {}).get(name)
    if found is None:
        raise RunnerRefused(f"The connection has no pipeline '{name}'.", code="no_pipeline")
    return found  # type: ignore[no-any-return]


def _values(order: Order, reference: str = "") -> dict[str, str]:
    declared = _pipeline(order).get("parameters", {})
    values = {name: one.get("default", "") for name, one in declared.items() if not one.get("required")}
    values |= order.parameters
    values["key"] = order.key
    return {**values, "reference": reference} if reference else values


def _named(pipeline: Mapping[str, Any]) -> Iterator[str]:
    """The names in a pipeline's requests that parameters fill in."""
    requests = [pipeline[part] for part in ("start", "find", "look", "log", "cancel") if part in pipeline]
    return (name for name in names_in(requests) if name not in OWN_NAMES)


def _reference_in(answer: Answer, where: str) -> str:
    if not where:
        return ""
    if not where.startswith("/"):
        return urlsplit(answer.headers.get(where.lower(), "")).path.rstrip("/").rpartition("/")[2]
    found = look_up(answer.json(), where)
    if found is None:
        raise RunnerRefused(f"The answer to the start has nothing at {where}.", code="no_reference")
    return as_text(found)


def _link(pipeline: Mapping[str, Any], answer: Answer | None, order: Order, reference: str) -> str:
    where = pipeline.get("link", "")
    if where.startswith("/"):
        found = look_up(answer.json(), where) if answer is not None else None
        return link_in(found)
    if not where:
        return ""
    scheme, colon, rest = where.partition("://")
    return f"{scheme}{colon}{fill_path(rest, _values(order, reference))}" if colon else ""


def _outcome(answer: Answer, pipeline: Mapping[str, Any], order: Order, reference: str, *, is_final: bool) -> Outcome:
    """What an answer says of the work; with `is_final`, an answer without a bad state is the good end."""
    pointers = pipeline.get("outputs", {})
    needs_json = bool(pipeline.get("status") or pointers or pipeline.get("link", "").startswith("/"))
    document = answer.json() if needs_json else None
    state = as_text(look_up(document, pipeline["status"])) if pipeline.get("status") else ""
    status: Status = "running"
    for end in _ENDS:
        if state in [as_text(value) for value in pipeline.get(end, ())]:
            status = end
    if is_final and status == "running":
        status = "failed" if pipeline.get("succeeded") else "succeeded"
    link = _link(pipeline, answer, order, reference)
    if status == "running":
        return Outcome("running", reference, link, look_in=pipeline.get("every"))
    outputs = {name: look_up(document, pointer) for name, pointer in pointers.items()}
    told = {name: as_text(value) for name, value in outputs.items() if value is not None}
    error = ""
    if status != "succeeded":
        said = as_text(look_up(document, pipeline["error"])) if pipeline.get("error") else ""
        error = said or f"The engine says '{state}'."
    return Outcome(status, reference, link, told, error[:2_000])
