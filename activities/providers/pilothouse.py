"""The provider `pilothouse`: waits for a release, a phase or an activity, here or in another installation; starts one.

The secret is a token of the API, and only what its owner may see can be awaited: without `url` this installation's own
views are asked, in this process, so the permissions are the same. Which release is meant is settled once, by its id or
by its group and version (or `which`); until there is one, that is what is waited for. A start carries the attempt's key
as the API's Idempotency-Key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings as site

from activities.engines import ADDRESS, Connected, Parameter, Pipeline, settings_of
from activities.providers import verbs
from activities.providers.patience import patiently
from activities.providers.verbs import Verb
from activities.runners import Order, Outcome, Status
from activities.web import here
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import Fault, RunnerRefused, RunnerUnavailable

GOOD = ("succeeded", "partially_succeeded", "ignored", "skipped")
"""The states that may be waited for."""
BAD = ("failed", "aborted", "cancelled", "missed")
RELEASE_OVER = ("succeeded", "partially_succeeded", *BAD)
CALLED_OFF = ("cancelled", "missed")
WINDOWS = (1, 14, 400)
"""Days ahead within which the next release of a group is searched for, one after the other."""
MANY = 200

AWAIT = Verb(
    "await",
    "Wait for a release",
    "Goes on when a release, or a phase or activity of one, is in one of the states; fails when it has ended otherwise",
    (
        Parameter("release", description="Its number, the last part of its address"),
        Parameter("group", description="The id of its release group, with `version` or `which`"),
        Parameter("version", description="The version of the release in the group"),
        Parameter("which", "enum", "`next`: planned to start next; `latest`: started last", "", ("next", "latest")),
        Parameter("phase", description="The phase that is waited for, such as deploy"),
        Parameter("activity", description="The activity that is waited for: its id in the phase, or deploy/cart"),
        Parameter("states", description=f"What is good enough, of {', '.join(GOOD)}", default="succeeded"),
    ),
)
START = Verb(
    "start",
    "Start a release",
    "Creates a release of a group or a process, and starts it, once",
    (
        Parameter("group", description="The id of the release group, or instead"),
        Parameter("process", description="The id of the process"),
        Parameter("name", description="What the release is called", is_required=True),
        Parameter("version", description="Its version"),
        Parameter("given", "text", 'Values as JSON, such as {"inputs": {"dry": true}}'),
    ),
)
VERBS = (AWAIT, START)


class PilothouseEngine:
    """See the module. A reference is the release's number."""

    kind = "pilothouse"
    settings = settings_of({"url": ADDRESS})
    work = verbs.work_with(VERBS)

    async def start(self, order: Order, web: Web) -> Outcome:
        """Settles which release is meant, or starts one."""
        if order.spec["pipeline"] == START.id:
            return await _start(order, Place(order.connection, order.secret, web))
        wanted, place = Wanted.of(order), Place(order.connection, order.secret, web)
        return await patiently(self._found(order, wanted, place), order, "", place.name)

    async def look(self, order: Order, reference: str, log_offset: int, web: Web) -> Outcome:  # noqa: ARG002 - every engine is asked so
        """Looks at the release, and at the part of it that is waited for; refused for long, it gives up."""
        wanted, place = Wanted.of(order), Place(order.connection, order.secret, web)
        return await patiently(self._look(order, wanted, place, reference), order, reference, place.name)

    async def _found(self, order: Order, wanted: Wanted, place: Place) -> Outcome:
        release = await _find(place, wanted, order.started_at or datetime.now(UTC))
        if release is None:
            return Outcome("running", error=f"Waits for {wanted.words}, which is not there yet.", look_in=verbs.SLOWEST)
        return await self._look(order, wanted, place, str(release))

    async def _look(self, order: Order, wanted: Wanted, place: Place, reference: str) -> Outcome:
        release = (await place.ask(f"releases/{reference}/")).mapping()
        part = await _part(place, wanted, release) if wanted.path else release
        status, said = _verdict(wanted, release, part)
        link = place.link(reference, part if "/" in wanted.path else None)
        age = (datetime.now(UTC) - (order.started_at or datetime.now(UTC))).total_seconds()
        if status == "running":
            return Outcome(status, reference, link, error=said, look_in=verbs.look_in(age))
        if status == "failed" or part is None:
            return Outcome(status, reference, link, error=said)
        return Outcome(status, reference, link, await _outputs(place, wanted, release, part, link))

    async def cancel(self, order: Order, reference: str, web: Web) -> None:
        """Does nothing: who waits leaves no trace, and a release that was started is its owners' to stop."""

    async def check(self, connection: Connected, web: Web) -> str:
        """Asks whose token it is."""
        place = Place(connection.settings, connection.secret, web)
        me = (await place.ask("me/")).mapping()
        return f"{place.name} knows us as {me.get('username')}."

    async def pipelines(self, connection: Connected, web: Web, search: str) -> Sequence[Pipeline]:  # noqa: ARG002 - every engine is asked so
        """Returns what can be done."""
        return verbs.picked(VERBS, search)

    async def parameters(self, connection: Connected, web: Web, pipeline: str) -> Sequence[Parameter]:  # noqa: ARG002 - every engine is asked so
        """Returns what that takes."""
        return verbs.verb_of(VERBS, pipeline).parameters


class Place:
    """Where releases are asked for: another installation, or this one."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, web: Web) -> None:
        if not secret:
            raise RunnerRefused("The connection needs a secret: a token of the API there.", code="no_token")
        self._base, self._token, self._web = str(settings.get("url", "")).rstrip("/"), secret, web
        self.name = "The other installation" if self._base else "This installation"

    async def ask(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer:
        """Asks the API for something. Raises RunnerError as any call does."""
        return await self._send("GET", path, params=params)

    async def do(self, path: str, sent: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Has the API do something once, and returns its answer. Raises RunnerError as any call does.

        RunnerUnavailable also while the same request, which was given up here, is still being answered there.
        """
        answer = await self._send("POST", path, key, json=sent, accept=(409,))
        if answer.status == 409 and answer.mapping().get("code") == "in_progress":
            raise RunnerUnavailable("The same request is still being answered.")
        if answer.status == 409:
            raise self._web.error("POST", answer)
        return answer.mapping()

    async def _send(self, method: str, path: str, key: str = "", accept: Collection[int] = (), **sent: Any) -> Answer:
        if self._base:
            headers = {"authorization": f"Bearer {self._token}", **({"idempotency-key": key} if key else {})}
            return await self._web.ask(method, f"{self._base}{here.API}{path}", headers=headers, accept=accept, **sent)
        answer = await here.ask(method, path, self._token, key=key, **sent)
        if answer.status >= 400 and answer.status not in accept:
            raise self._web.error(method, answer)
        return answer

    def link(self, release: str, activity: Mapping[str, Any] | None) -> str:
        """Returns where a release, or an activity of it, is shown."""
        inside = f"activities/{activity['id']}/" if activity else ""
        return f"{self._base or site.PILOTHOUSE_URL}/releases/{release}/{inside}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is waited for; `path` is that of a phase or an activity, nothing for the release itself."""

    release: str
    group: str
    version: str
    which: str
    path: str
    states: tuple[str, ...]

    @classmethod
    def of(cls, order: Order) -> Wanted:
        """Reads an order. Raises RunnerRefused with all faults."""
        given = {name: value.strip() for name, value in order.parameters.items()}
        states = tuple(verbs.names_in(given.get("states", ""))) or ("succeeded",)
        verbs.verb_of(VERBS, order.spec["pipeline"])
        values = verbs.values_of(AWAIT, order, list(_faults(given, states)))
        phase, activity = (values[name].strip("/").replace(".", "/") for name in ("phase", "activity"))
        path = f"{phase}/{activity}" if phase and activity and "/" not in activity else activity or phase
        return cls(values["release"], values["group"], values["version"], values["which"], path, states)

    @property
    def words(self) -> str:
        """What it is, in words."""
        which = f"release {self.release}" if self.release else f"version {self.version} of the group {self.group}"
        if self.which:
            which = f"the {self.which} release of the group {self.group}"
        return f"{self.path} in {which}" if self.path else which


def pilothouse_engine() -> PilothouseEngine:
    """Returns the engine."""
    return PilothouseEngine()


def _faults(given: Mapping[str, str], states: Sequence[str]) -> Iterator[Fault]:
    release, group, activity = given.get("release", ""), given.get("group", ""), given.get("activity", "")
    ways = [name for name in ("version", "which") if given.get(name)]
    if bool(release) == bool(group):
        yield Fault("release", "Either this or a group must be given.", "The other one stays empty.")
    if release and not re.fullmatch(r"[1-9]\d{0,17}", release):
        yield Fault("release", "Is not the number of a release.", "It is the last part of the release's address.")
    if group and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", group):
        yield Fault("group", "Is not the id of a release group.")
    if (group and len(ways) != 1) or (ways and not group):
        yield Fault("version", "A group takes a version, or `which`.", "One of them, and only with a group.")
    if activity and "/" not in activity.replace(".", "/") and not given.get("phase"):
        yield Fault("phase", "Is missing.", "An activity is named with its phase, or like deploy/cart.")
    if unknown := [state for state in states if state not in GOOD]:
        yield Fault("states", f"{', '.join(unknown)} cannot be waited for.", f"Use {', '.join(GOOD)}.")


async def _start(order: Order, place: Place) -> Outcome:
    """Create and start a release, each once for the key."""
    given, faults = order.parameters, verbs.mapping_faults(order.parameters, "given")
    if bool(given.get("group", "").strip()) == bool(given.get("process", "").strip()):
        faults.append(Fault("group", "Either this or a process must be given.", "The other one stays empty."))
    values = verbs.values_of(START, order, faults)
    plan: dict[str, Any] = {name: values[name] for name in ("group", "process", "name", "version") if values[name]}
    if values["given"]:
        plan["given"] = verbs.mapping_in(values["given"])
    made = await place.do("releases/", plan, f"{order.key}-create")
    begun = await place.do(f"releases/{made['id']}/start/", {}, f"{order.key}-start")
    link = place.link(str(made["id"]), None)
    told = {"release": str(made["id"]), "version": str(begun["version"]), "state": str(begun["state"]), "link": link}
    return Outcome("succeeded", str(made["id"]), link, told)


async def _find(place: Place, wanted: Wanted, since: datetime) -> int | str | None:
    """Return the number of the release that is meant, None while there is none."""
    if wanted.release:
        return wanted.release
    asked: dict[str, str | int] = {"group": wanted.group, "page_size": MANY}
    if wanted.which == "next":
        return await _next(place, asked, since)
    if wanted.which == "latest":
        begun = (await place.ask("releases/", {**asked, "started_before": _moment(datetime.now(UTC))})).listed(
            "results"
        )
        return max(begun, key=lambda one: str(one["started_at"]))["id"] if begun else None
    found = (await place.ask("releases/", {**asked, "q": wanted.version})).listed("results")
    same = [one for one in found if one["version"] == wanted.version]
    return max(same, key=lambda one: (one["state"] not in CALLED_OFF, one["id"]))["id"] if same else None


async def _next(place: Place, asked: Mapping[str, str | int], since: datetime) -> int | None:
    for days in WINDOWS:
        window = {"planned_after": _moment(since), "planned_before": _moment(since + timedelta(days=days))}
        found = (await place.ask("releases/", {**asked, **window})).listed("results")
        ahead = [one for one in found if one["state"] not in CALLED_OFF]
        if ahead:
            first = min(ahead, key=lambda one: datetime.fromisoformat(one["planned_start_at"]))
            return int(first["id"])
    return None


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def _part(place: Place, wanted: Wanted, release: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the phase or activity that is waited for; None before the release has started."""
    phases = (await place.ask(f"releases/{release['id']}/tree/")).mapping().get("phases") or []
    known = {str(one["path"]): one for one in _nodes(phases)}
    if known and wanted.path not in known:
        first = ", ".join([str(one["path"]) for one in phases][:10])
        raise RunnerRefused(f"There is no '{wanted.path}' in release {release['id']}; its phases are: {first}.")
    return known.get(wanted.path)


def _nodes(nodes: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in nodes:
        yield one
        for inside in ("activities", "phases", "items"):
            yield from _nodes(one.get(inside) or [])


def _verdict(wanted: Wanted, release: Mapping[str, Any], part: Mapping[str, Any] | None) -> tuple[Status, str]:
    """Return how the wait stands, and that in words."""
    state = str(part["state"]) if part is not None else "pending"
    title = " ".join(filter(None, (str(release["name"]), str(release["version"]))))
    what = f"{wanted.path} in {title}" if wanted.path else title
    if part is not None and state in wanted.states:
        return "succeeded", ""
    if state in (*GOOD, *BAD):
        return "failed", f"{what} is {_word(state)}: it was waited for as {' or '.join(map(_word, wanted.states))}."
    if release["state"] in RELEASE_OVER:
        return "failed", f"{what} did not run: the release is {_word(release['state'])}."
    return "running", f"Waits for {what}, which is {_word(state)}; the release is {_word(release['state'])}."


def _word(state: object) -> str:
    return str(state).replace("_", " ")


async def _outputs(
    place: Place, wanted: Wanted, release: Mapping[str, Any], part: Mapping[str, Any], link: str
) -> dict[str, str]:
    """Return what is handed on: the outputs of what was waited for as JSON, without what stands for a secret."""
    whole = part
    if wanted.path:
        kind = "activity-runs" if "kind" in part else "phase-runs"
        whole = (await place.ask(f"{kind}/{part['id']}/")).mapping()
    outputs = whole.get("outputs") or {}
    shown = {
        name: value for name, value in outputs.items() if not (isinstance(value, dict) and set(value) == {"secret"})
    }
    return {
        "release": str(release["id"]),
        "version": str(release["version"]),
        "state": str(part["state"]),
        "finished_at": str(part.get("finished_at") or ""),
        "link": link,
        "outputs": json.dumps(shown),
    }
