"""The provider `jira`: issues of Jira Cloud (an e-mail address and its API token) and Data Center (a person's token).

Both take plain text by version 2 of the REST API; only the search differs. An opened issue carries the attempt's key as
a label, by which it is searched for before it is created again: Jira's search lags behind, so that waits for a while.
Properties could not be searched for without an app in Jira. A comment carries the key as a property.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.engines import ADDRESS, SECRET, Called, Connected, Parameter, Pipeline, begun_after, settings_of
from activities.providers import verbs
from activities.providers.patience import patiently
from activities.providers.tickets import Ticket
from activities.providers.verbs import Verb
from activities.runners import Order, Outcome
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import Fault, NotPermitted, RunnerRefused

PROPERTY = "pilothouse"
SETTLES = timedelta(seconds=60)
"""For so long an issue may be there that the search does not find yet."""
SOON = 1.0
MOST_COMMENTS = 20
_ISSUE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}-[1-9]\d{0,17}")
_GIVEN = Parameter("issue", description="The issue's key, such as SHOP-12", is_required=True)

OPEN = Verb(
    "open",
    "Open an issue",
    "Creates an issue once",
    (
        Parameter("project", description="The project's key, such as SHOP", is_required=True),
        Parameter("type", description="The name of the issue type", default="Task"),
        Parameter("summary", description="What it is about, in a line", is_required=True),
        Parameter("description", "text", "More about it"),
        Parameter("fields", "text", 'Further fields as JSON, such as {"priority": {"name": "High"}}'),
    ),
)
AWAIT = Verb(
    "await",
    "Wait for an issue",
    "Goes on when the issue has one of the statuses; fails when it is refused or over otherwise",
    (
        _GIVEN,
        Parameter("until", description="Statuses, or the categories new, indeterminate, done", default="done"),
        Parameter("refused", description="Statuses that mean no", default="Rejected, Declined, Cancelled, Canceled"),
    ),
)
UPDATE = Verb(
    "update",
    "Update an issue",
    "Moves the issue to a status and adds a comment, each once",
    (
        _GIVEN,
        Parameter("status", description="The status to bring it to"),
        Parameter("comment", "text", "What to say"),
    ),
)
VERBS = (OPEN, AWAIT, UPDATE)


class JiraEngine:
    """See the module. A reference is the issue's key."""

    kind = "jira"
    settings = settings_of(
        {
            "url": ADDRESS,
            "email": {"type": "string", "minLength": 3, "maxLength": 250},
            "hook": settings_of({"secret": SECRET}, required=("secret",)),
        },
        required=("url",),
    )
    work = verbs.work_with(VERBS)

    async def start(self, order: Order, web: Web) -> Outcome:
        """Does what is to be done; the next look hands on how the issue stands."""
        verb, jira = verbs.verb_of(VERBS, order.spec["pipeline"]), Jira(order.connection, order.secret, web)
        values = verbs.values_of(verb, order, _faults(order))
        if verb is OPEN:
            return await _open(order, values, jira)
        key = values["issue"].upper()
        if verb is AWAIT:
            return await patiently(self._look(order, key, web), order, "", "Jira")
        if values["comment"]:
            await _comment(order, key, values["comment"], jira)
        if values["status"]:
            await _move(key, values["status"], jira)
        return Outcome("running", key, jira.link(key), look_in=SOON)

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:  # noqa: ARG002
        """Looks at the issue; refused for long, it gives up."""
        return await patiently(self._look(order, reference, web), order, reference, "Jira")

    async def _look(self, order: Order, reference: str, web: Web) -> Outcome:
        ticket = await Jira(order.connection, order.secret, web).ticket(reference)
        if order.spec["pipeline"] == AWAIT.id:
            values = verbs.values_of(AWAIT, order)
            until, refused = verbs.names_in(values["until"]), verbs.names_in(values["refused"])
            if stands := ticket.awaited(reference, until, refused):
                return stands
        return ticket.outcome(reference)

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Leaves the issue as it is: people go on with it, or close it."""

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks who we are."""
        me = (await Jira(connection.settings, connection.secret, web).ask("GET", "/myself")).mapping()
        return f"Jira knows us as {me.get('displayName') or me.get('name')}."

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:  # noqa: ARG002
        """Returns what can be done."""
        return verbs.picked(VERBS, search)

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:  # noqa: ARG002
        """Returns what that takes."""
        return verbs.verb_of(VERBS, pipeline).parameters

    def called(self, call: Called, connection: Connected) -> Collection[str]:
        """Returns the issue that a webhook is about. Raises NotPermitted unless it is signed with our secret."""
        made = hmac.new(connection.hook()["secret"].encode(), call.body, hashlib.sha256).hexdigest()
        given = call.headers.get("x-hub-signature", "")
        if not hmac.compare_digest(given.encode(), f"sha256={made}".encode()):
            raise NotPermitted("This call is not signed with the webhook's secret.", code="bad_signature")
        issue = call.told().get("issue")
        return [str(issue["key"])] if isinstance(issue, dict) and issue.get("key") else []


class Jira:
    """The Jira of a connection."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, web: Web) -> None:
        self._base, self._web = settings["url"].rstrip("/"), web
        self.is_cloud = "email" in settings
        self._sign_in: dict[str, Any] = {"headers": {"authorization": f"Bearer {secret}"}} if secret else {}
        if self.is_cloud:
            self._sign_in = {"auth": (settings["email"], secret or "")}

    async def ask(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the API."""
        return await self._web.ask(method, f"{self._base}/rest/api/2{path}", **self._sign_in, **rest)

    def link(self, key: str) -> str:
        """Returns where an issue is shown."""
        return f"{self._base}/browse/{key}"

    async def ticket(self, key: str) -> Ticket:
        """Returns an issue as it stands. Raises RunnerRefused when it is not there."""
        answer = await self.ask("GET", f"/issue/{key}", params={"fields": "summary,status"}, accept=(404,))
        if answer.status == 404:
            raise RunnerRefused(f"There is no issue {key} in Jira, or we may not see it.", code="no_ticket")
        found = answer.mapping()
        fields = found["fields"]
        status, category = str(fields["status"]["name"]), str((fields["status"].get("statusCategory") or {}).get("key"))
        names, title = frozenset({status.lower(), category.lower()}), str(fields.get("summary") or "")
        return Ticket(str(found["key"]), title, status, self.link(found["key"]), names, is_over=category == "done")

    async def labelled(self, label: str) -> str:
        """Returns the key of the issue with a label, nothing if the search does not find one."""
        wanted = {"jql": f'labels = "{label}"', "fields": ["summary"], "maxResults": 1}
        path = "/search/jql" if self.is_cloud else "/search"
        issues = (await self.ask("POST", path, json=wanted)).listed("issues")
        return str(issues[0]["key"]) if issues else ""


def jira_engine() -> JiraEngine:
    """Returns the engine."""
    return JiraEngine()


def _faults(order: Order) -> list[Fault]:
    given, faults = order.parameters, verbs.mapping_faults(order.parameters, "fields")
    if order.spec["pipeline"] != OPEN.id and (issue := given.get("issue")) and not _ISSUE.fullmatch(issue.strip()):
        faults.append(Fault("issue", "Is not the key of an issue.", "Write it like SHOP-12."))
    if order.spec["pipeline"] == UPDATE.id and not (given.get("status") or given.get("comment")):
        faults.append(Fault("status", "Nothing is to be done.", "Give a status, a comment, or both."))
    return faults


async def _open(order: Order, values: Mapping[str, str], jira: Jira) -> Outcome:
    label, more = f"pilothouse-{order.key}", verbs.mapping_in(values["fields"]) or {}
    if order.again:
        if found := await jira.labelled(label):
            return Outcome("running", found, jira.link(found), look_in=SOON)
        if order.started_at is not None and datetime.now(UTC) < order.started_at + SETTLES:
            return Outcome("running", error="Searches for the issue before it is opened again.", look_in=10)
    given = more.get("labels")
    labels = given if isinstance(given, list) else []
    fields = {"description": values["description"], **more} if values["description"] else more
    body = {**fields, "project": {"key": values["project"]}, "issuetype": {"name": values["type"]}}
    body |= {"summary": values["summary"], "labels": [*labels, label]}
    key = str((await jira.ask("POST", "/issue", json={"fields": body})).mapping()["key"])
    return Outcome("running", key, jira.link(key), look_in=SOON)


async def _comment(order: Order, key: str, text: str, jira: Jira) -> None:
    """Add a comment, unless it is there already."""
    if order.again and await _has_comment(order, key, jira):
        return
    carried = [{"key": PROPERTY, "value": {"key": order.key}}]
    await jira.ask("POST", f"/issue/{key}/comment", json={"body": text, "properties": carried})


async def _has_comment(order: Order, key: str, jira: Jira) -> bool:
    newest: dict[str, str | int] = {"orderBy": "-created", "maxResults": MOST_COMMENTS}
    for one in (await jira.ask("GET", f"/issue/{key}/comment", params=newest)).listed("comments"):
        if datetime.fromisoformat(str(one["created"])) < begun_after(order):
            continue
        answer = await jira.ask("GET", f"/comment/{one['id']}/properties/{PROPERTY}", accept=(404,))
        if answer.status != 404 and answer.mapping().get("value") == {"key": order.key}:
            return True
    return False


async def _move(key: str, status: str, jira: Jira) -> None:
    """Bring an issue to a status, unless it is there already. Raises RunnerRefused when no transition leads there."""
    ticket = await jira.ticket(key)
    if ticket.status.lower() == status.lower():
        return
    ways = (await jira.ask("GET", f"/issue/{key}/transitions")).listed("transitions")
    way = next((one for one in ways if str(one["to"]["name"]).lower() == status.lower()), None)
    if way is None:
        there = ", ".join(sorted({str(one["to"]["name"]) for one in ways})) or "nowhere"
        raise RunnerRefused(f"status: {key} is {ticket.status}, from where it goes to: {there}.", code="parameters")
    await jira.ask("POST", f"/issue/{key}/transitions", json={"transition": {"id": way["id"]}})
