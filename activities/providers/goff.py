"""The provider `goff`: flags of GO Feature Flag, which has no API to change them: they are in a file.

This engine changes that file where it is kept in a repository of GitHub or GitLab, one commit for a change. With the
address of a relay proxy it then waits until the relay proxy serves the flag as it stands in the file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from activities.engines import ADDRESS, SECRET, Connected
from activities.providers import flag_files
from activities.providers.flags import FlagEngine, Standing, Wanted, place_name
from activities.web.addresses import link_in
from activities.web.answers import Answer
from activities.web.client import Web
from config.errors import RunnerRefused, RunnerUnavailable

PUBLIC = {"github": "https://api.github.com", "gitlab": "https://gitlab.com"}
_SETTINGS = {
    "host": {"enum": list(PUBLIC)},
    "url": ADDRESS,
    "repository": {
        "type": "string",
        "pattern": r"^[\w.-]+(/[\w.-]+)+$",
        "x-words": "a repository",
        "x-cure": "Write it like shop/flags.",
    },
    "branch": {"type": "string", "minLength": 1, "maxLength": 250},
    "path": {
        "type": "string",
        "pattern": r"^(?!/)(?!.*\.\.).{1,250}\.(ya?ml|json)$",
        "x-words": "a file of YAML or JSON",
        "x-cure": "Write it like flags/{environment}.yaml.",
    },
    "relay": ADDRESS,
    "relay_key": SECRET,
}


class GoFlag:
    """One flag in a file; `{environment}` in the file's path and branch stands for the environment."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, wanted: Wanted, web: Web) -> None:
        self._web, self._wanted = web, wanted
        path, branch = (
            str(settings.get(name, default)).replace("{environment}", wanted.environment)
            for name, default in (("path", ""), ("branch", "main"))
        )
        kind = GitLabFile if settings.get("host") == "gitlab" else GitHubFile
        self._file = kind(settings, secret, path, branch, web)
        self._relay, self._relay_key = place_name(settings, "relay", ""), settings.get("relay_key", "")
        self._text, self._standing = "", Standing(enabled=False)

    @property
    def link(self) -> str:
        """The file's page."""
        return self._file.link

    async def read(self) -> Standing | None:
        """Returns how the flag stands in the file, None if there is none."""
        self._text = await self._file.read()
        flag = flag_files.flags_in(self._text).get(self._wanted.flag)
        if not isinstance(flag, dict):
            return None
        self._standing = flag_files.standing_of(flag)
        return self._standing

    async def create(self) -> None:
        """Commits the flag, off."""
        await self._write(flag_files.with_flag(self._text, self._wanted.flag, self._wanted.description))

    async def change(self, standing: Standing) -> None:
        """Commits the change."""
        change: dict[str, Any] = {}
        if self._wanted.percentage is not None:
            flag = flag_files.flags_in(self._text)[self._wanted.flag]
            change["defaultRule"] = flag_files.default_rule(flag, self._wanted.percentage)
        if self._wanted.stickiness:
            change["bucketingKey"] = self._wanted.stickiness
        if self._wanted.enabled is not None and standing.enabled != self._wanted.enabled:
            change["disable"] = not self._wanted.enabled
        await self._write(flag_files.with_change(self._text, self._wanted.flag, change))

    async def is_served(self) -> bool:
        """Says whether the relay proxy has the flag as the file has it; without one, the commit is all there is."""
        if not self._relay:
            return True
        headers = {"x-api-key": self._relay_key} if self._relay_key else {}
        body = {"flags": [self._wanted.flag]}
        answer = await self._web.ask("POST", f"{self._relay}/v1/flag/configuration", json=body, headers=headers)
        flag = (answer.mapping().get("flags") or {}).get(self._wanted.flag)
        if not isinstance(flag, dict):
            return False
        served = flag_files.standing_of(flag)
        return (served.enabled, served.percentage) == (self._standing.enabled, self._standing.percentage)

    async def _write(self, text: str) -> None:
        share = "" if self._wanted.percentage is None else f" {self._wanted.percentage} %"
        said = f"{self._wanted.flag} in {self._wanted.environment}: {self._wanted.verb}{share}"
        await self._file.write(text, f"{said}\n\nBy Pilothouse")


class GitHubFile:
    """A file in a repository of GitHub."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, path: str, branch: str, web: Web) -> None:
        base = place_name(settings, "url", PUBLIC["github"])
        self._url, self._branch, self._web = (
            f"{base}/repos/{settings['repository']}/contents/{quote(path)}",
            branch,
            web,
        )
        self._headers = {"authorization": f"Bearer {secret or ''}", "accept": "application/vnd.github+json"}
        self._version, self.link = "", ""

    async def read(self) -> str:
        """Returns the file's text."""
        answer = await self._web.ask("GET", self._url, params={"ref": self._branch}, headers=self._headers)
        found = answer.mapping()
        self._version, self.link = str(found.get("sha", "")), link_in(found.get("html_url"))
        return decoded(found)

    async def write(self, text: str, message: str) -> None:
        """Commits the file. Raises RunnerUnavailable when it was changed meanwhile."""
        body = {"message": message, "content": encoded(text), "sha": self._version, "branch": self._branch}
        answer = await self._web.ask("PUT", self._url, json=body, headers=self._headers, accept=(409,))
        if answer.status == 409:
            raise RunnerUnavailable("Somebody else has just changed the file of flags.")


class GitLabFile:
    """A file in a project of GitLab."""

    def __init__(self, settings: Mapping[str, Any], secret: str | None, path: str, branch: str, web: Web) -> None:
        base, project = place_name(settings, "url", PUBLIC["gitlab"]), quote(settings["repository"], safe="")
        self._url = f"{base}/api/v4/projects/{project}/repository/files/{quote(path, safe='')}"
        self._branch, self._web, self._version = branch, web, ""
        self._headers = {"private-token": secret or ""}
        self.link = f"{base}/{settings['repository']}/-/blob/{quote(branch)}/{quote(path)}"

    async def read(self) -> str:
        """Returns the file's text."""
        answer = await self._web.ask("GET", self._url, params={"ref": self._branch}, headers=self._headers)
        found = answer.mapping()
        self._version = str(found.get("last_commit_id", ""))
        return decoded(found)

    async def write(self, text: str, message: str) -> None:
        """Commits the file. Raises RunnerUnavailable when it was changed meanwhile."""
        body = {"branch": self._branch, "commit_message": message, "content": encoded(text), "encoding": "base64"}
        sent = {**body, "last_commit_id": self._version}
        answer = await self._web.ask("PUT", self._url, json=sent, headers=self._headers, accept=(400,))
        if answer.status == 400:
            if "changed" in answer.text:
                raise RunnerUnavailable("Somebody else has just changed the file of flags.")
            raise self._web.error("PUT", answer)


def encoded(text: str) -> str:
    """Returns a text as base64."""
    return base64.b64encode(text.encode()).decode()


def decoded(found: Mapping[str, Any]) -> str:
    """Returns a file's text. Raises RunnerUnavailable when the answer does not hold it."""
    try:
        return base64.b64decode(found["content"]).decode()
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise RunnerUnavailable("The answer does not hold the file of flags.") from None


async def who_we_are(connection: Connected, web: Web) -> str:
    """Reads the file, and asks the relay proxy whether it is well."""
    wanted = Wanted("create", "", str(connection.settings.get("environment", "")))
    flag = GoFlag(connection.settings, connection.secret, wanted, web)
    await flag.read()
    relay = place_name(connection.settings, "relay", "")
    if not relay:
        return "The file of flags can be read; no relay proxy is asked."
    answer: Answer = await web.ask("GET", f"{relay}/health")
    if not answer.mapping().get("initialized"):
        raise RunnerRefused("The relay proxy is not ready.", code="relay")
    return "The file of flags can be read, and the relay proxy is well."


def goff_engine() -> FlagEngine:
    """Returns the engine."""
    return FlagEngine("goff", _SETTINGS, GoFlag, who_we_are, ("stickiness",), ("host", "repository", "path"))
