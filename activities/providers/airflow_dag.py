"""How one DAG of Airflow is asked, over its REST API v2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import RunnerRefused

DAG_NAME = r"^(?=.*\w)[\w.-]{1,250}$"


class Dag:
    """One DAG of a connection, for one call."""

    def __init__(self, base: str, dag_id: str, token: str | None, web: Web) -> None:
        self.id, self._base, self._web = dag_id, base, web
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    @classmethod
    async def of(cls, settings: Mapping[str, Any], secret: str | None, dag_id: str, web: Web) -> Dag:
        """Returns the DAG, signed in. Raises RunnerRefused when its id cannot be one."""
        if dag_id and not re.fullmatch(DAG_NAME, dag_id):
            raise RunnerRefused(f"'{dag_id}' cannot be a DAG; write its id like deploy_shop.", code="no_pipeline")
        base, token = settings["url"].rstrip("/"), secret
        if settings.get("username"):
            given = {"username": settings["username"], "password": secret or ""}
            told = (await web.ask("POST", f"{base}/auth/token", json=given)).mapping().get("access_token")
            if not isinstance(told, str) or not told:
                raise RunnerRefused("Airflow has signed us in, but given no token.", code="engine_denied")
            token = told
            web.masks = (*web.masks, told)
        return cls(base, dag_id, token, web)

    async def ask_api(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the API."""
        headers = {**self._headers, **rest.pop("headers", {})}
        return await self._web.ask(method, f"{self._base}/api/v2{path}", headers=headers, **rest)

    async def ask(self, method: str, path: str, **rest: Any) -> Answer:
        """Asks for something of the DAG."""
        return await self.ask_api(method, f"/dags/{quote(self.id, safe='')}{path}", **rest)

    async def details(self) -> dict[str, Any]:
        """Returns what Airflow knows of the DAG."""
        return (await self.ask("GET", "/details")).mapping()

    async def run(self, run_id: str) -> dict[str, Any] | None:
        """Returns a run, None if there is none of that id."""
        answer = await self.ask("GET", f"/dagRuns/{quote(run_id, safe='')}", accept=(404,))
        return None if answer.status == 404 else answer.mapping()

    def page(self, dag_id: str) -> str:
        """Returns where a DAG is shown."""
        return f"{self._base}/dags/{quote(dag_id, safe='')}"

    def link(self, run_id: str) -> str:
        """Returns where a run is shown."""
        return f"{self.page(self.id)}/runs/{quote(run_id, safe='')}"
