"""The provider `harness_fme`: flags of Harness Feature Management & Experimentation (once Split), over its Admin API.

The percentage of a flag is the share of the treatment `on` in the default rule of its definition in the environment.
Turning a flag off kills it there, so that everyone gets the default treatment; turning it on restores it. A change is
one JSON patch of the definition: its rules, individual targets and traffic allocation are left as they are. It has a
title and a comment, without which a workspace may answer nothing but 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from activities.engines import ADDRESS, Connected
from activities.providers.flags import FlagEngine, Standing, Wanted, place_name
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import RunnerRefused

PUBLIC = "https://api.split.io"
API = "/internal/api/v2"
_WORD = {"type": "string", "minLength": 1, "maxLength": 100}
_SETTINGS = {
    "url": ADDRESS,
    "workspace": _WORD,
    "traffic_type": _WORD,
    "on": _WORD,
    "off": _WORD,
    "page": {"type": "string", "minLength": 1, "maxLength": 1_000},
}


class HarnessFlag:
    """One flag of a workspace (a project in Harness), in one environment."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, wanted: Wanted, web: Web) -> None:
        self._base, self._web, self._wanted = place_name(settings, "url", PUBLIC) + API, web, wanted
        self._headers = {"authorization": f"Bearer {secret or ''}"}
        self._on, self._off = settings.get("on", "on"), settings.get("off", "off")
        self._flags = f"/splits/ws/{quote(settings['workspace'], safe='')}"
        self._kind = quote(settings.get("traffic_type", "user"), safe="")
        self._flag = f"{self._flags}/{quote(wanted.flag, safe='')}"
        self._here = f"{self._flag}/environments/{quote(wanted.environment, safe='')}"
        self._page = settings.get("page", "")
        self.link = self._link("")
        self._is_defined = False

    async def read(self) -> Standing | None:
        """Returns how the flag stands, None if there is none. Raises RunnerRefused where its rules do not let it."""
        answer = await self._ask("GET", self._flag, accept=(404,))
        if answer.status == 404:
            return None
        flag = answer.mapping()
        self.link = self._link(str(flag.get("id", "")))
        answer = await self._ask("GET", self._here, accept=(404,))
        self._is_defined = answer.status != 404
        if not self._is_defined:
            return Standing(enabled=False)
        found = answer.mapping()
        self._require_meaning(found)
        rules = len(found.get("rules") or ())
        notes = (f"Decided before the percentage, and left as it is: {rules} rules.",) if rules else ()
        return Standing(not found.get("killed"), self._share(found.get("defaultRule") or ()), notes=notes)

    async def create(self) -> None:
        """Makes the flag in the workspace; no environment has it before it is turned on there."""
        body = {"name": self._wanted.flag, "description": self._wanted.description}
        answer = await self._ask("POST", f"{self._flags}/trafficTypes/{self._kind}", json=body, accept=(400, 409))
        if answer.status in (400, 409) and await self.read() is None:
            raise self._web.error("POST", answer)

    async def change(self, standing: Standing) -> None:
        """Patches the definition, or makes the first one of the environment."""
        share = self._wanted.percentage
        rule = None if share is None else self._default_rule(share)
        if not self._is_defined:
            await self._define(rule or self._default_rule(0))
            return
        changes: list[dict[str, Any]] = []
        if rule is not None:
            changes.append({"op": "replace", "path": "/defaultRule", "value": rule})
        if self._wanted.enabled is not None and standing.enabled != self._wanted.enabled:
            changes.append({"op": "replace", "path": "/killed", "value": not self._wanted.enabled})
        said = "" if share is None else f" {share} %"
        told = {"title": f"{self._wanted.verb}{said}", "comment": "By Pilothouse"}
        await self._ask("PATCH", self._here, params=told, json=changes)

    async def is_served(self) -> bool:
        """What Harness says is what applications get."""
        return True

    async def _define(self, rule: list[dict[str, Any]]) -> None:
        treatments = [{"name": self._on}, {"name": self._off}]
        body = {"treatments": treatments, "defaultTreatment": self._off, "rules": [], "defaultRule": rule}
        await self._ask("POST", self._here, json=body)

    def _default_rule(self, share: int) -> list[dict[str, Any]]:
        shares = {self._on: share, self._off: 100 - share}
        return [{"treatment": name, "size": size} for name, size in shares.items() if size]

    def _share(self, rule: Any) -> float | None:
        sizes = {str(one.get("treatment")): float(one.get("size", 0)) for one in rule}
        return sizes.get(self._on, 0.0) if set(sizes) <= {self._on, self._off} else None

    def _require_meaning(self, found: Mapping[str, Any]) -> None:
        """Raises RunnerRefused when the change would not mean what it says, or lose what others have set."""
        known = {str(one.get("name")) for one in found.get("treatments") or ()}
        if not {self._on, self._off} <= known:
            raise RunnerRefused(
                f"The flag has the treatments {', '.join(sorted(known))}: set 'on' and 'off' to two of them."
            )
        if self._wanted.enabled is False and found.get("defaultTreatment") != self._off:
            given = f"The flag's default treatment is '{found.get('defaultTreatment')}'"
            raise RunnerRefused(f"{given}: set it to '{self._off}', then retry.", code="off_is_on")
        if self._wanted.percentage is None:
            return
        if self._share(found.get("defaultRule") or ()) is None:
            raise RunnerRefused(
                f"The default rule has more than '{self._on}' and '{self._off}'.", code="several_treatments"
            )
        allocation = found.get("trafficAllocation", 100)
        if self._wanted.enabled and allocation != 100:
            raise RunnerRefused(f"Only {allocation} % of the traffic are exposed: set that to 100, then retry.")

    def _link(self, flag_id: str) -> str:
        names = {"{flag}": self._wanted.flag, "{environment}": self._wanted.environment, "{id}": flag_id}
        page = str(self._page)
        for name, text in names.items():
            page = page.replace(name, quote(text, safe=""))
        return page

    async def _ask(self, method: str, path: str, **rest: Any) -> Answer:
        return await self._web.ask(method, f"{self._base}{path}", headers=self._headers, **rest)


async def who_we_are(connection: Connected, web: Web) -> str:
    """Asks for the workspace's environments: the Admin API tells nobody who they are."""
    base, workspace = place_name(connection.settings, "url", PUBLIC) + API, connection.settings["workspace"]
    headers = {"authorization": f"Bearer {connection.secret or ''}"}
    answer = await web.ask("GET", f"{base}/environments/ws/{quote(workspace, safe='')}", headers=headers)
    found = answer.json()
    listed = found.get("objects", []) if isinstance(found, dict) else found
    names = {str(one.get(key)) for one in listed if isinstance(one, dict) for key in ("id", "name")}
    shown = ", ".join(sorted(str(one.get("name")) for one in listed if isinstance(one, dict)))
    wanted = connection.settings.get("environment")
    if wanted and wanted not in names:
        raise RunnerRefused(f"The workspace has no environment '{wanted}'; it has: {shown}.", code="no_environment")
    return f"Harness FME accepts the key; environments of the workspace: {shown}."


def harness_fme_engine() -> FlagEngine:
    """Returns the engine."""
    return FlagEngine("harness_fme", _SETTINGS, HarnessFlag, who_we_are, required=("workspace",))
