"""The provider `unleash`: flags of Unleash (and of its hosted version), over its admin API.

The percentage of a flag is that of its one strategy `flexibleRollout` that is for everyone: without constraints and
segments. Where there is none, one called `Pilothouse` is added. Strategies for some users only are left as they are:
Unleash shows a flag to whom any of its strategies lets in, so they go on letting theirs in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from activities.engines import ADDRESS, Connected
from activities.providers.flags import FlagEngine, Standing, Wanted, percent_of, place_name
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import RunnerRefused

TITLE = "Pilothouse"
KIND, STICKINESS = "release", "default"
_PROJECT = {"type": "string", "minLength": 1, "maxLength": 100}


class UnleashFlag:
    """One flag of a project, in one environment."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, wanted: Wanted, web: Web) -> None:
        self._base, self._web, self._wanted = place_name(settings, "url", ""), web, wanted
        self._headers = {"authorization": secret or ""}
        project = quote(settings.get("project", "default"), safe="")
        self._features = f"/api/admin/projects/{project}/features"
        flag = quote(wanted.flag, safe="")
        self._feature = f"{self._features}/{flag}"
        self._here = f"{self._feature}/environments/{quote(wanted.environment, safe='')}"
        self.link = f"{self._base}/projects/{project}/features/{flag}"
        self._strategy: Mapping[str, Any] | None = None

    async def read(self) -> Standing | None:
        """Returns how the flag stands, None if there is none. Raises RunnerRefused when its strategies do not say."""
        answer = await self._ask("GET", self._feature, accept=(404,))
        if answer.status == 404:
            return None
        feature = answer.mapping()
        here = [one for one in feature["environments"] if one.get("name") == self._wanted.environment]
        if not here:
            told = f"The project has no environment '{self._wanted.environment}'."
            raise RunnerRefused(told, code="no_environment")
        found, kind = here[0], str(feature.get("type", ""))
        strategies = [one for one in found.get("strategies") or () if not one.get("disabled")]
        for_all = [one for one in strategies if not (one.get("constraints") or one.get("segments"))]
        others = len(strategies) - len(for_all)
        notes = (f"Strategies for some users only, which stay as they are: {others}.",) if others else ()
        self._strategy = self._the_one(for_all)
        if self._strategy is None:
            nobody = 0 if others and not for_all else None
            return Standing(bool(found.get("enabled")), nobody, kind=kind, notes=notes)
        given = self._strategy.get("parameters") or {}
        share, sticky = percent_of(given.get("rollout")), str(given.get("stickiness", ""))
        return Standing(bool(found.get("enabled")), share, sticky, kind, notes)

    async def create(self) -> None:
        """Makes the flag."""
        body = {"name": self._wanted.flag, "type": self._wanted.kind or KIND, "description": self._wanted.description}
        answer = await self._ask("POST", self._features, json=body, accept=(409,))
        if answer.status == 409 and await self.read() is None:
            raise self._web.error("POST", answer)

    async def change(self, standing: Standing) -> None:
        """Turns the flag off first, on last."""
        if self._wanted.enabled is False and standing.enabled:
            await self._ask("POST", f"{self._here}/off")
        if self._wanted.percentage is not None:
            await self._roll_out(str(self._wanted.percentage))
        if self._wanted.enabled and not standing.enabled:
            await self._ask("POST", f"{self._here}/on")

    async def is_served(self) -> bool:
        """What Unleash says is what applications get."""
        return True

    async def _roll_out(self, share: str) -> None:
        """Sets the strategy's percentage, unless somebody else has just set another one."""
        strategies = f"{self._here}/strategies"
        if self._strategy is None:
            parameters = {"rollout": share, "stickiness": self._wanted.stickiness or STICKINESS}
            body = {
                "name": "flexibleRollout",
                "title": TITLE,
                "parameters": {**parameters, "groupId": self._wanted.flag},
            }
            await self._ask("POST", strategies, json=body)
            return
        known = (self._strategy.get("parameters") or {}).get("rollout")
        changes = [
            {"op": "test", "path": "/parameters/rollout", "value": known},
            {"op": "replace", "path": "/parameters/rollout", "value": share},
        ]
        if self._wanted.stickiness:
            changes.append({"op": "add", "path": "/parameters/stickiness", "value": self._wanted.stickiness})
        await self._ask("PATCH", f"{strategies}/{quote(str(self._strategy.get('id')), safe='')}", json=changes)

    def _the_one(self, for_all: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """Returns the strategy whose percentage is the flag's. Raises RunnerRefused when that would decide nothing."""
        if len(for_all) == 1 and for_all[0].get("name") == "flexibleRollout":
            return for_all[0]
        if for_all and self._wanted.percentage is not None:
            names = ", ".join(str(one.get("title") or one.get("name")) for one in for_all)
            raise RunnerRefused(
                f"What is for everyone is decided by more than a percentage: {names}. "
                "Leave one gradual rollout without constraints, then retry.",
                code="several_strategies",
            )
        return None

    async def _ask(self, method: str, path: str, **rest: Any) -> Answer:
        return await self._web.ask(method, f"{self._base}{path}", headers=self._headers, **rest)


async def who_we_are(connection: Connected, web: Web) -> str:
    """Asks Unleash for the user of the token and for the project's environments."""
    base, project = place_name(connection.settings, "url", ""), connection.settings.get("project", "default")
    headers = {"authorization": connection.secret or ""}
    user = (await web.ask("GET", f"{base}/api/admin/user", headers=headers)).mapping().get("user") or {}
    path = f"{base}/api/admin/environments/project/{quote(project, safe='')}"
    names = [str(one.get("name")) for one in (await web.ask("GET", path, headers=headers)).listed("environments")]
    wanted = connection.settings.get("environment")
    if wanted and wanted not in names:
        raise RunnerRefused(f"The project has no environment '{wanted}'; it has: {', '.join(names)}.")
    who = user.get("username") or user.get("name") or user.get("email") or "somebody"
    return f"Unleash knows us as {who}; environments of '{project}': {', '.join(names)}."


def unleash_engine() -> FlagEngine:
    """Returns the engine."""
    settings = {"url": ADDRESS, "project": _PROJECT}
    return FlagEngine("unleash", settings, UnleashFlag, who_we_are, ("stickiness", "kind"), ("url",))
