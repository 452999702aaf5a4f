"""The provider `launchdarkly`: boolean flags of LaunchDarkly, over its REST API v2.

The percentage of a flag is that of its default rule ("fallthrough") in the environment. A change is one semantic patch:
targeting on or off, and the default rule. Targets, rules and prerequisites are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from activities.engines import ADDRESS, Connected
from activities.providers.flags import FlagEngine, Standing, Wanted, place_name
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import RunnerRefused, RunnerUnavailable

PUBLIC = "https://app.launchdarkly.com"
WHOLE = 100_000
"""The weights of a rollout are thousandths of a percent."""
CONTEXT = "user"
VERSION = "20240415"
"""The version of the API that is spoken; without it, LaunchDarkly takes the one that the token was made with."""
_PATCH = "application/json; domain-model=launchdarkly.semanticpatch"
_PROJECT = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", "x-words": "a project's key"}


class LaunchDarklyFlag:
    """One flag of a project, in one environment."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, wanted: Wanted, web: Web) -> None:
        self._base, self._web, self._wanted = place_name(settings, "url", PUBLIC), web, wanted
        self._headers = _headers(secret)
        project, flag = quote(settings.get("project", "default"), safe=""), quote(wanted.flag, safe="")
        self._flags = f"/api/v2/flags/{project}"
        self._flag = f"{self._flags}/{flag}"
        environment = quote(wanted.environment, safe="")
        self.link = (
            f"{self._base}/projects/{project}/flags/{flag}/targeting?env={environment}&selected-env={environment}"
        )
        self._names: list[str] = []
        self._on = self._off = 0
        self._rollout: Mapping[str, Any] = {}

    async def read(self) -> Standing | None:
        """Returns how the flag stands, None if there is none. Raises RunnerRefused for what cannot be on or off."""
        answer = await self._ask("GET", self._flag, params={"env": self._wanted.environment}, accept=(404,))
        if answer.status == 404:
            return None
        flag = answer.mapping()
        here = (flag.get("environments") or {}).get(self._wanted.environment)
        if not isinstance(here, dict):
            raise RunnerRefused(f"The project has no environment '{self._wanted.environment}'.", code="no_environment")
        if flag.get("archived"):
            raise RunnerRefused(f"The flag '{self._wanted.flag}' is archived: restore it, then retry.", code="archived")
        self._read_variations(list(flag.get("variations") or ()))
        fallthrough = here.get("fallthrough") or {}
        self._rollout = fallthrough.get("rollout") or {}
        self._require_off(here)
        sticky = str(self._rollout.get("contextKind") or CONTEXT) if self._rollout else ""
        return Standing(bool(here.get("on")), self._share(fallthrough), sticky, str(flag.get("kind")), _notes(here))

    async def create(self) -> None:
        """Makes a boolean flag."""
        body = {"key": self._wanted.flag, "name": self._wanted.flag, "description": self._wanted.description}
        answer = await self._ask("POST", self._flags, json=body, accept=(409,))
        if answer.status == 409 and await self.read() is None:
            raise self._web.error("POST", answer)

    async def change(self, standing: Standing) -> None:
        """Changes targeting and the default rule in one patch. Raises RunnerUnavailable if somebody was faster."""
        instructions: list[dict[str, Any]] = []
        if self._wanted.percentage is not None:
            instructions.append({"kind": "updateFallthroughVariationOrRollout", **self._default_rule()})
        if self._wanted.enabled is not None and standing.enabled != self._wanted.enabled:
            instructions.append({"kind": "turnFlagOn" if self._wanted.enabled else "turnFlagOff"})
        body = {
            "environmentKey": self._wanted.environment,
            "comment": f"Pilothouse: {self._wanted.verb}",
            "instructions": instructions,
        }
        answer = await self._ask("PATCH", self._flag, json=body, headers={"content-type": _PATCH}, accept=(405, 409))
        if answer.status == 409:
            raise RunnerUnavailable("Somebody else is changing the flag at LaunchDarkly.")
        if answer.status == 405:
            raise RunnerRefused("LaunchDarkly wants an approval of this change.", code="approval_required")

    async def is_served(self) -> bool:
        """What LaunchDarkly says is what applications get."""
        return True

    def _default_rule(self) -> dict[str, Any]:
        on, off = self._names[self._on], self._names[self._off]
        if self._wanted.percentage == 100 and not self._wanted.stickiness:
            return {"variationId": on}
        share = (self._wanted.percentage or 0) * WHOLE // 100
        kind = self._wanted.stickiness or str(self._rollout.get("contextKind") or CONTEXT)
        bucket = self._rollout.get("bucketBy") if kind == (self._rollout.get("contextKind") or CONTEXT) else None
        sticky = {"rolloutContextKind": kind, **({"rolloutBucketBy": bucket} if bucket else {})}
        return {"rolloutWeights": {on: share, off: WHOLE - share}, **sticky}

    def _read_variations(self, found: list[dict[str, Any]]) -> None:
        """Learns which variation is which. Raises RunnerRefused unless they are true and false."""
        values = [one.get("value") for one in found]
        if len(values) != 2 or not all(isinstance(one, bool) for one in values) or values[0] is values[1]:
            raise RunnerRefused(
                "Only flags with the variations true and false are turned on and off.", code="no_boolean"
            )
        self._names = [str(one.get("_id")) for one in found]
        self._on, self._off = (0, 1) if values[0] else (1, 0)

    def _share(self, fallthrough: Mapping[str, Any]) -> float | None:
        if "variation" in fallthrough:
            return 100 if fallthrough["variation"] == self._on else 0
        weights = {one.get("variation"): one.get("weight", 0) for one in self._rollout.get("variations") or ()}
        return weights.get(self._on, 0) * 100 / WHOLE if weights else None

    def _require_off(self, here: Mapping[str, Any]) -> None:
        """Raises RunnerRefused when turning the flag off would give it to everyone."""
        if self._wanted.enabled is False and here.get("offVariation") == self._on:
            raise RunnerRefused("The flag's off variation is true: set it to false, then retry.", code="off_is_on")

    async def _ask(self, method: str, path: str, **rest: Any) -> Answer:
        headers = {**self._headers, **rest.pop("headers", {})}
        return await self._web.ask(method, f"{self._base}{path}", headers=headers, **rest)


def _headers(secret: str | None) -> dict[str, str]:
    return {"authorization": secret or "", "ld-api-version": VERSION}


def _notes(here: Mapping[str, Any]) -> tuple[str, ...]:
    kinds = {"rules": "rules", "targets": "targets", "contextTargets": "targets", "prerequisites": "prerequisites"}
    counts: dict[str, int] = {}
    for key, name in kinds.items():
        counts[name] = counts.get(name, 0) + len(here.get(key) or ())
    found = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return (f"Decided before the percentage, and left as it is: {found}.",) if found else ()


async def who_we_are(connection: Connected, web: Web) -> str:
    """Asks LaunchDarkly for the token, and for the environment if the connection names one."""
    base, headers = place_name(connection.settings, "url", PUBLIC), _headers(connection.secret)
    told = (await web.ask("GET", f"{base}/api/v2/caller-identity", headers=headers)).mapping()
    known = f"LaunchDarkly knows the token as '{told.get('tokenName') or told.get('tokenId') or 'nameless'}'"
    environment, project = connection.settings.get("environment"), connection.settings.get("project", "default")
    if not environment:
        return f"{known}."
    path = f"/api/v2/projects/{quote(project, safe='')}/environments/{quote(environment, safe='')}"
    name = (await web.ask("GET", f"{base}{path}", headers=headers)).mapping().get("name")
    return f"{known}, which can see '{name}' of '{project}'."


def launchdarkly_engine() -> FlagEngine:
    """Returns the engine."""
    return FlagEngine(
        "launchdarkly", {"url": ADDRESS, "project": _PROJECT}, LaunchDarklyFlag, who_we_are, ("stickiness",)
    )
