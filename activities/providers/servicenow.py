"""The provider `servicenow`: change requests, through the Table API (and the Change Management API for templates).

With `username` the secret is a password; without, it is an OAuth token. An opened change carries the attempt's key as
its correlation id, by which it is searched for before it is created again. A note carries the key as its first line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from activities.engines import ADDRESS, Connected, Parameter, Pipeline, settings_of
from activities.providers import verbs
from activities.providers.patience import patiently
from activities.providers.tickets import Ticket
from activities.providers.verbs import Verb
from activities.runners import Order, Outcome
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import Fault, RunnerRefused, RunnerUnavailable

STATES: Mapping[str, str] = {
    "new": "-5",
    "assess": "-4",
    "authorize": "-3",
    "scheduled": "-2",
    "implement": "-1",
    "review": "0",
    "closed": "3",
    "canceled": "4",
}
"""The states of a change as ServiceNow ships them; others are named by their numbers."""
OVER = ("3", "4")
SOON = 1.0
TABLE, FIELDS = "/now/table/change_request", "sys_id,number,short_description,state,approval,correlation_id"
_SYS_ID, _NUMBER = re.compile(r"[0-9a-f]{32}"), re.compile(r"[A-Za-z]{2,10}\d{1,20}")
_GIVEN = Parameter("change", description="The change's number, such as CHG0030001, or its sys_id", is_required=True)
_FIELDS = Parameter("fields", "text", 'Further fields as JSON, such as {"assignment_group": "<sys_id>"}')

OPEN = Verb(
    "open",
    "Open a change",
    "Creates a change request once",
    (
        Parameter("type", "enum", "What kind of change", "normal", ("normal", "standard", "emergency")),
        Parameter("short_description", description="What it is about, in a line", is_required=True),
        Parameter("description", "text", "More about it"),
        Parameter("template", description="The sys_id of a standard change's template"),
        _FIELDS,
    ),
)
AWAIT = Verb(
    "await",
    "Wait for a change",
    "Goes on when state or approval is one of these; fails when it is refused or over otherwise",
    (
        _GIVEN,
        Parameter("until", description="States or approvals, by label or value", default="approved"),
        Parameter("refused", description="States or approvals that mean no", default="rejected, canceled"),
    ),
)
UPDATE = Verb(
    "update",
    "Update a change",
    "Brings the change to a state, adds a note, closes it",
    (
        _GIVEN,
        Parameter("state", description=f"One of {', '.join(STATES)}, or a number"),
        Parameter("work_notes", "text", "A note for those who work on it"),
        Parameter("close_code", description="How it went, such as successful; for closing it"),
        Parameter("close_notes", "text", "More about how it went; for closing it"),
        _FIELDS,
    ),
)
VERBS = (OPEN, AWAIT, UPDATE)


class ServiceNowEngine:
    """See the module. A reference is the change's sys_id."""

    kind = "servicenow"
    settings = settings_of(
        {"url": ADDRESS, "username": {"type": "string", "minLength": 1, "maxLength": 250}}, required=("url",)
    )
    work = verbs.work_with(VERBS)

    async def start(self, order: Order, web: Web) -> Outcome:
        """Does what is to be done; the next look hands on how the change stands."""
        verb, now = verbs.verb_of(VERBS, order.spec["pipeline"]), ServiceNow(order.connection, order.secret, web)
        values = verbs.values_of(verb, order, _faults(order))
        if verb is AWAIT:
            return await patiently(self._first_look(order, values["change"], now, web), order, "", "ServiceNow")
        sys_id = await (_open(order, values, now) if verb is OPEN else now.sys_id(values["change"]))
        if verb is UPDATE:
            await _update(order, sys_id, values, now)
        return Outcome("running", sys_id, now.link(sys_id), look_in=SOON)

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:  # noqa: ARG002
        """Looks at the change; refused for long, it gives up."""
        return await patiently(self._look(order, reference, web), order, reference, "ServiceNow")

    async def _first_look(self, order: Order, change: str, now: ServiceNow, web: Web) -> Outcome:
        return await self._look(order, await now.sys_id(change), web)

    async def _look(self, order: Order, reference: str, web: Web) -> Outcome:
        now = ServiceNow(order.connection, order.secret, web)
        change = await now.change(reference)
        ticket = now.ticket(change)
        if order.spec["pipeline"] == AWAIT.id:
            values = verbs.values_of(AWAIT, order)
            until, refused = verbs.names_in(values["until"]), verbs.names_in(values["refused"])
            if stands := ticket.awaited(reference, until, refused):
                return stands
        return ticket.outcome(reference, approval=_value(change, "approval"))

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Leaves the change as it is: people go on with it, or cancel it."""

    async def check(self, connection: Connected, web: Web) -> str:
        """Looks whether we may see changes."""
        now = ServiceNow(connection.settings, connection.secret, web)
        await now.ask("GET", TABLE, params={"sysparm_limit": 1, "sysparm_fields": "sys_id"})
        name = connection.settings.get("username")
        return f"ServiceNow {f'knows us as {name}' if name else 'accepts the token'} and shows us changes."

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:  # noqa: ARG002
        """Returns what can be done."""
        return verbs.picked(VERBS, search)

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:  # noqa: ARG002
        """Returns what that takes."""
        return verbs.verb_of(VERBS, pipeline).parameters


class ServiceNow:
    """The instance of a connection."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, web: Web) -> None:
        self._base, self._web = settings["url"].rstrip("/"), web
        self._sign_in: dict[str, Any] = {"headers": {"accept": "application/json"}}
        if "username" in settings:
            self._sign_in["auth"] = (settings["username"], secret or "")
        elif secret:
            self._sign_in["headers"]["authorization"] = f"Bearer {secret}"

    async def ask(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the API."""
        return await self._web.ask(method, f"{self._base}/api{path}", **self._sign_in, **rest)

    async def result(self, method: str, path: str, fields: str = FIELDS, **rest: Any) -> dict[str, Any]:
        """Returns a record: of each field, its value and how it is shown."""
        wanted = {"sysparm_display_value": "all", "sysparm_fields": fields, "sysparm_exclude_reference_link": "true"}
        found: dict[str, Any] = (await self.ask(method, path, params=wanted, **rest)).mapping()["result"]
        return found

    async def of_template(self, template: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the standard change that is made: with every field, whose values may be numbers.

        Parameters of the address would be taken for fields here. The documentation has the change in a list.
        """
        found = (await self.ask("POST", f"/sn_chg_rest/change/standard/{template}", json=body)).mapping()["result"]
        made: dict[str, Any] = next(iter(found), {}) if isinstance(found, list) else found
        if not _value(made, "sys_id"):
            raise RunnerRefused(
                "ServiceNow does not say which change it has made of the template.", code="no_reference"
            )
        return made

    async def where(self, field: str, value: str) -> str:
        """Returns the sys_id of the change with this value, nothing if there is none.

        A query that an instance does not understand finds every record, so what came back is held against it.
        """
        wanted = {"sysparm_query": f"{field}={value}", "sysparm_fields": f"sys_id,{field}", "sysparm_limit": 1}
        found = (await self.ask("GET", TABLE, params=wanted, accept=(404,))).mapping().get("result") or []
        return next((str(one["sys_id"]) for one in found if str(one[field]).lower() == value.lower()), "")

    async def sys_id(self, named: str) -> str:
        """Returns the sys_id of a change. Raises RunnerRefused when there is none."""
        if _SYS_ID.fullmatch(named):
            return named
        if found := await self.where("number", named.upper()):
            return found
        raise RunnerRefused(f"There is no change {named} in ServiceNow, or we may not see it.", code="no_ticket")

    async def change(self, sys_id: str) -> dict[str, Any]:
        """Returns a change. Raises RunnerRefused when it is not there."""
        answer = await self.ask(
            "GET",
            f"{TABLE}/{sys_id}",
            params={"sysparm_display_value": "all", "sysparm_fields": FIELDS},
            accept=(404,),
        )
        if answer.status == 404:
            raise RunnerRefused(f"The change {sys_id} is not in ServiceNow (any more), or we may not see it.")
        found: dict[str, Any] = answer.mapping()["result"]
        return found

    def link(self, sys_id: str) -> str:
        """Returns where a change is shown."""
        return f"{self._base}/change_request.do?sys_id={sys_id}"

    def ticket(self, change: Mapping[str, Any]) -> Ticket:
        """Returns a change as a ticket."""
        names = {
            _value(change, "state"),
            _shown(change, "state"),
            _value(change, "approval"),
            _shown(change, "approval"),
        }
        states, status = frozenset(name.lower() for name in names if name), _shown(change, "state")
        link = self.link(_value(change, "sys_id"))
        over = _value(change, "state") in OVER
        return Ticket(_value(change, "number"), _value(change, "short_description"), status, link, states, is_over=over)


def servicenow_engine() -> ServiceNowEngine:
    """Returns the engine."""
    return ServiceNowEngine()


def _faults(order: Order) -> list[Fault]:
    given = {name: value.strip() for name, value in order.parameters.items()}
    verb, faults = order.spec["pipeline"], verbs.mapping_faults(given, "fields")
    change, state, template = given.get("change"), given.get("state", ""), given.get("template")
    if change and not (_SYS_ID.fullmatch(change) or _NUMBER.fullmatch(change)):
        faults.append(Fault("change", "Is not the number of a change.", "Write it like CHG0030001."))
    if verb == OPEN.id and template and not _SYS_ID.fullmatch(template):
        faults.append(Fault("template", "Is not a sys_id.", "It has 32 digits, 0 to 9 and a to f."))
    if verb == OPEN.id and template and given.get("type") != "standard":
        faults.append(Fault("type", "Only a standard change has a template.", "Set it to standard."))
    if verb == UPDATE.id and state and state.lower() not in STATES and not re.fullmatch(r"-?\d{1,4}", state):
        faults.append(Fault("state", "Is not a state.", f"Use {', '.join(STATES)}, or a number."))
    if verb == UPDATE.id and not any(value for name, value in given.items() if name != "change"):
        faults.append(Fault("state", "Nothing is to be done.", "Give a state, a note, or more."))
    return faults


async def _open(order: Order, values: Mapping[str, str], now: ServiceNow) -> str:
    """Return the sys_id of the one change that carries the key."""
    key = f"pilothouse-{order.key}"
    if order.again and (found := await now.where("correlation_id", key)):
        return found
    texts = {name: values[name] for name in ("short_description", "description") if values[name]}
    body = {**(verbs.mapping_in(values["fields"]) or {}), **texts}
    body |= {"correlation_id": key, "correlation_display": "Pilothouse"}
    if not values["template"]:
        made = await now.result("POST", TABLE, json={**body, "type": values["type"]})
        return _value(made, "sys_id")
    made = await now.of_template(values["template"], body)
    if _value(made, "correlation_id") != key:
        with suppress(RunnerUnavailable):  # it is known by what it is called here; asked again, there would be two
            await now.result("PATCH", f"{TABLE}/{_value(made, 'sys_id')}", json={"correlation_id": key})
    return _value(made, "sys_id")


async def _update(order: Order, sys_id: str, values: Mapping[str, str], now: ServiceNow) -> None:
    body = {**(verbs.mapping_in(values["fields"]) or {})}
    body |= {name: values[name] for name in ("close_code", "close_notes") if values[name]}
    state = STATES.get(values["state"].lower(), values["state"])
    if state:
        body["state"] = state
    mark = f"(Pilothouse {order.key})"
    if values["work_notes"] and not (order.again and await _has_note(sys_id, mark, now)):
        body["work_notes"] = f"{mark}\n{values['work_notes']}"  # first: of a long note ServiceNow leaves out the end
    if not body:
        return
    left = _value(await now.result("PATCH", f"{TABLE}/{sys_id}", json=body), "state")
    if state and left != state:
        raise RunnerRefused(f"state: ServiceNow has left the change in state {left}.", code="parameters")


async def _has_note(sys_id: str, mark: str, now: ServiceNow) -> bool:
    return mark in _shown(await now.result("GET", f"{TABLE}/{sys_id}", "work_notes"), "work_notes")


def _value(record: Mapping[str, Any], field: str) -> str:
    """A field's value, also where only that is told."""
    found = record.get(field)
    return str((found.get("value") if isinstance(found, dict) else found) or "")


def _shown(record: Mapping[str, Any], field: str) -> str:
    found = record.get(field)
    return str((found.get("display_value") if isinstance(found, dict) else found) or "")
