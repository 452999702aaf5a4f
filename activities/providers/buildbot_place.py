"""How one Buildbot is asked, through its REST API."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import RunnerRefused

MOST_REQUESTS = 20
"""Builders of one scheduler that are looked at."""
_JSON = {"accept": "application/json"}


class Place:
    """One Buildbot, with a session that is opened when it is needed."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, web: Web) -> None:
        self._base, self._web = settings["url"].rstrip("/"), web
        name = settings.get("username")
        self._account = (str(name), secret) if name and secret else None
        self._headers = {**_JSON, **({"authorization": f"Bearer {secret}"} if secret and not name else {})}
        self._is_in = self._account is None

    async def sign_in(self) -> None:
        """Opens the session, once. Raises RunnerRefused when name or password are wrong."""
        if self._is_in:
            return
        url = f"{self._base}/auth/login"
        answer = await self._web.ask("GET", url, headers=_JSON, auth=self._account, accept=(HTTPStatus.FOUND,))
        self._headers["cookie"] = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
        self._is_in = True

    async def ask(self, path: str, *, accept: Collection[int] = (), api: str = "/api/v2", **rest: Any) -> Answer:
        """Asks for something; signed in only if that must be."""
        url, denied = f"{self._base}{api}{path}", (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
        first = accept if self._is_in else (*accept, *denied)
        answer = await self._web.ask("GET", url, headers=self._headers, accept=first, **rest)
        if self._is_in or answer.status not in denied:
            return answer
        await self.sign_in()
        return await self._web.ask("GET", url, headers=self._headers, accept=accept, **rest)

    async def call(self, path: str, method: str, params: Mapping[str, Any], *, accept: Collection[int] = ()) -> Answer:
        """Asks for a change."""
        await self.sign_in()
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": dict(params)}
        return await self._web.ask(
            "POST", f"{self._base}/api/v2{path}", headers=self._headers, json=body, accept=accept
        )

    async def scheduler(self, name: str) -> dict[str, Any]:
        """Returns a force scheduler. Raises RunnerRefused when there is none of that name."""
        answer = await self.ask(f"/forceschedulers/{quote(name, safe='')}", accept=(404,))
        if answer.status == 404:
            raise RunnerRefused(f"Buildbot has no force scheduler '{name}'.", code="no_pipeline")
        return first(answer, "forceschedulers")

    async def requests(self, buildset: str) -> list[dict[str, Any]]:
        """Returns the build requests of a buildset."""
        answer = await self.ask("/buildrequests", params={"buildsetid": buildset, "limit": MOST_REQUESTS})
        return answer.listed("buildrequests")

    async def builds(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Returns the builds of a request, the last one first: a build that is tried again is another one."""
        path = f"/buildrequests/{request['buildrequestid']}/builds"
        found = (await self.ask(path)).listed("builds")
        return sorted(found, key=lambda build: -int(build["buildid"]))

    async def link(self, buildset: str) -> str:
        """Returns the page of a buildset's first build."""
        found = await self.requests(buildset)
        return self.link_of(found[0]["buildrequestid"]) if found else ""

    def link_of(self, request: Any) -> str:
        """Returns the page of a build request, which leads on to its build."""
        return f"{self._base}/#/buildrequests/{request}?redirect_to_build=true"


def first(answer: Answer, key: str) -> dict[str, Any]:
    """Returns the first thing in the list under `key`; an empty mapping if there is none."""
    found = answer.mapping().get(key)
    return found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
