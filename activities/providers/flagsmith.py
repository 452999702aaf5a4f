"""The provider `flagsmith`: flags of Flagsmith, over its admin API.

Flagsmith rolls out by segments: one of our own, `Pilothouse <flag> <environment>`, holds a percentage of identities,
and the flag has an override for it in the environment. 100 % is the environment's default itself. Overrides for other
segments and for identities are left as they are, and go before ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from activities.engines import ADDRESS, Connected
from activities.providers.flags import FlagEngine, Standing, Wanted, percent_of, place_name
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import RunnerRefused

PUBLIC = "https://api.flagsmith.com"
APP = "https://app.flagsmith.com"
SPLIT, BY_IDENTITY = "PERCENTAGE_SPLIT", "$.identity.key"
EVERYONE = 100
_SETTINGS = {
    "url": ADDRESS,
    "app": ADDRESS,
    "project": {"type": "integer", "minimum": 1},
    "token": {"enum": ["key", "user"]},
}


class FlagsmithFlag:
    """One flag of a project, in one environment."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, wanted: Wanted, web: Web) -> None:
        self._base, self._web, self._wanted = place_name(settings, "url", PUBLIC), web, wanted
        self._headers = headers_of(settings, secret)
        self._project = f"/api/v1/projects/{settings['project']}"
        self._environment = quote(wanted.environment, safe="")
        self.link = (
            f"{place_name(settings, 'app', APP)}/project/{settings['project']}/environment/{self._environment}/features"
        )
        self._segment_name = f"Pilothouse {wanted.flag} {wanted.environment}"
        self._flag = ""
        self._segment: Mapping[str, Any] | None = None
        self._overrides: list[dict[str, Any]] = []

    async def read(self) -> Standing | None:
        """Returns how the flag stands, None if there is none."""
        feature = await self._one("/features/", "search", self._wanted.flag)
        if feature is None:
            return None
        self._flag = f"/api/__future__/environments/{self._environment}/features/{int(feature['id'])}/"
        self._segment = await self._one("/segments/", "q", self._segment_name)
        found = (await self._ask("GET", self._flag)).mapping()
        self._overrides = [one for one in found.get("segment_overrides") or () if isinstance(one, dict)]
        ours = next((one for one in self._overrides if self._is_ours(one)), None)
        others = len(self._overrides) - (ours is not None)
        notes = (f"Overrides for other segments, which stay as they are: {others}.",) if others else ()
        if (found.get("environment_default") or {}).get("enabled"):
            is_whole = ours is None or bool(ours.get("enabled"))
            return Standing(enabled=True, percentage=EVERYONE if is_whole else None, notes=notes)
        share = None if ours is None else _share(self._segment or {})
        return Standing(bool(ours and ours.get("enabled")), share, notes=notes)

    async def create(self) -> None:
        """Makes the flag, off in every environment."""
        body = {"name": self._wanted.flag, "description": self._wanted.description, "default_enabled": False}
        answer = await self._ask("POST", f"{self._project}/features/", json=body, accept=(400,))
        if answer.status == 400 and await self.read() is None:
            raise self._web.error("POST", answer)

    async def change(self, standing: Standing) -> None:
        """Turns the flag off first; then sets the segment's percentage, then whom the flag is on for."""
        if self._wanted.enabled is False and standing.enabled:
            await self._turn(everyone=False, ours=None if self._segment is None else False)
        share = self._wanted.percentage
        if share is not None and share != EVERYONE:
            await self._split(share)
        if self._wanted.enabled:
            has_override = any(self._is_ours(one) for one in self._overrides)
            await self._turn(everyone=share == EVERYONE, ours=True if share != EVERYONE or has_override else None)
        elif share is not None and share != EVERYONE:
            await self._turn(everyone=False, ours=False)

    async def is_served(self) -> bool:
        """What Flagsmith says is what applications get."""
        return True

    async def _split(self, share: int) -> None:
        """Makes our segment hold that share of the identities."""
        condition = {"operator": SPLIT, "property": BY_IDENTITY, "value": str(share)}
        rules = [{"type": "ALL", "rules": [{"type": "ANY", "conditions": [condition]}], "conditions": []}]
        body = {"name": self._segment_name, "project": int(self._project.rpartition("/")[2]), "rules": rules}
        if self._segment is None:
            self._segment = (await self._ask("POST", f"{self._project}/segments/", json=body)).mapping()
        elif _share(self._segment) != share:
            await self._ask("PUT", f"{self._project}/segments/{int(self._segment['id'])}/", json=body)

    async def _turn(self, *, everyone: bool, ours: bool | None) -> None:
        """Sets the environment's default and, unless it is to stay, our override; others come before it."""
        body: dict[str, Any] = {"environment_default": {"enabled": everyone}}
        if ours is not None and self._segment is not None:
            override: dict[str, Any] = {"segment": {"id": int(self._segment["id"])}, "enabled": ours}
            if not any(self._is_ours(one) for one in self._overrides):
                override["priority"] = max((int(one.get("priority", 0)) for one in self._overrides), default=-1) + 1
            body["segment_overrides"] = [override]
        await self._ask("PATCH", self._flag, json=body)

    def _is_ours(self, override: Mapping[str, Any]) -> bool:
        return self._segment is not None and (override.get("segment") or {}).get("id") == self._segment.get("id")

    async def _one(self, path: str, search: str, name: str) -> dict[str, Any] | None:
        """Returns the feature or segment of this name. Raises RunnerRefused when too many have names like it."""
        params: dict[str, str | int] = {search: name, "page_size": 100}
        answer = await self._ask("GET", f"{self._project}{path}", params=params)
        found = [one for one in answer.listed("results") if one.get("name") == name]
        if not found and answer.mapping().get("next"):
            raise RunnerRefused(f"More than a hundred names contain '{name}': it cannot be told apart.")
        return found[0] if found else None

    async def _ask(self, method: str, path: str, **rest: Any) -> Answer:
        return await self._web.ask(method, f"{self._base}{path}", headers=self._headers, **rest)


def headers_of(settings: Mapping[str, Any], secret: str | None) -> dict[str, str]:
    """Returns how the secret is sent: the key of an organisation, or a user's token."""
    scheme = "Token" if settings.get("token") == "user" else "Api-Key"
    return {"authorization": f"{scheme} {secret or ''}"}


def _share(segment: Mapping[str, Any]) -> float | None:
    """Returns the percentage of a segment that is a split and nothing else."""
    rules = list(segment.get("rules") or ())
    inner = list(rules[0].get("rules") or ()) if len(rules) == 1 else []
    conditions = list(inner[0].get("conditions") or ()) if len(inner) == 1 else []
    if len(conditions) != 1 or conditions[0].get("operator") != SPLIT:
        return None
    return percent_of(conditions[0].get("value"))


async def who_we_are(connection: Connected, web: Web) -> str:
    """Asks for the project and its environments."""
    base, project = place_name(connection.settings, "url", PUBLIC), connection.settings["project"]
    headers = headers_of(connection.settings, connection.secret)
    name = (await web.ask("GET", f"{base}/api/v1/projects/{project}/", headers=headers)).mapping().get("name")
    answer = await web.ask("GET", f"{base}/api/v1/environments/", params={"project": project}, headers=headers)
    found = {str(one.get("api_key")): str(one.get("name")) for one in answer.listed("results")}
    wanted = connection.settings.get("environment")
    if wanted and wanted not in found:
        raise RunnerRefused("No environment of the project has that client-side key.", code="no_environment")
    return f"Flagsmith shows us '{name}' with the environments {', '.join(found.values())}."


def flagsmith_engine() -> FlagEngine:
    """Returns the engine."""
    return FlagEngine("flagsmith", _SETTINGS, FlagsmithFlag, who_we_are, required=("project",))
