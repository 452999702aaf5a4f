"""Secrets that are kept elsewhere: `env:NAME`, `file:PATH` and `vault:MOUNT/PATH#FIELD`, followed at each use.

Only what the operator has opened in the settings can be referred to; until then such a text is a value like any other.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from asgiref.sync import async_to_sync
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from activities.web.client import Web, make_pool
from config.errors import Fault, RunnerError, RunnerRefused, RunnerUnavailable

LARGEST = 32_768
KEPT = 30.0
"""Seconds for which what Vault has answered is used again."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IN_VAULT = re.compile(r"([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+)#([A-Za-z0-9_.-]+)")
_kept: dict[tuple[str, str], tuple[float, Mapping[str, object]]] = {}


@sensitive_variables()
def resolve(name: str, value: str) -> str:
    """Returns what the value of the secret `name` refers to, or the value itself if it does not refer to anything.

    Raises RunnerRefused when that is not there or not allowed, RunnerUnavailable when it cannot be asked for now.
    """
    source, where = _source(value)
    if source is None:
        return value
    try:
        found = source(where)
    except RunnerError as error:
        raise type(error)(f"The secret '{name}' cannot be read: {error.message}", code="secret_elsewhere") from None
    if not found or len(found) > LARGEST or "\0" in found:
        raise RunnerRefused(f"What the secret '{name}' refers to is no text of at most {LARGEST} characters.")
    return found


def faults(value: str) -> Iterator[Fault]:
    """Yields what keeps a value from being a reference, if it looks like one that the operator allows."""
    source, where = _source(value)
    if source is _from_environment and not _is_open(where):
        yield Fault("value", "That variable may not be read.", f"Its name begins with {settings.SECRET_ENV_PREFIX}.")
    if source is _from_file and _place(where) is None:
        yield Fault("value", "That file may not be read.", f"It lies in {settings.SECRET_DIR}.")
    if source is _from_vault and not (_IN_VAULT.fullmatch(where) and ".." not in where):
        yield Fault("value", "That is no place in Vault.", "Write it like vault:secret/ci/github#token.")


def _source(value: str) -> tuple[Callable[[str], str] | None, str]:
    scheme, colon, where = value.partition(":")
    known = {
        "env": (settings.SECRET_ENV_PREFIX, _from_environment),
        "file": (settings.SECRET_DIR, _from_file),
        "vault": (settings.VAULT_ADDR, _from_vault),
    }
    opened, source = known.get(scheme, ("", None))
    return (source, where.strip()) if colon and opened and len(value) < 2_000 else (None, "")


def _is_open(variable: str) -> bool:
    prefix = settings.SECRET_ENV_PREFIX
    return bool(_VARIABLE.fullmatch(variable)) and variable.startswith(prefix) and len(variable) > len(prefix)


def _from_environment(variable: str) -> str:
    if not _is_open(variable):
        raise RunnerRefused("it refers to a variable that may not be read.")
    if variable not in os.environ:
        raise RunnerRefused("there is no such variable in this process' environment.")
    return os.environ[variable]


def _place(where: str) -> Path | None:
    """The file's real place, None unless that is in the folder."""
    folder = Path(settings.SECRET_DIR).resolve()
    try:
        path = (folder / where).resolve()
    except (OSError, RuntimeError, ValueError):
        return None
    return path if folder in path.parents else None


def _from_file(where: str) -> str:
    path = _place(where)
    if path is None:
        raise RunnerRefused("it refers to a file that may not be read.")
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(LARGEST + 2).removesuffix("\n").removesuffix("\r")
    except FileNotFoundError:
        raise RunnerRefused("there is no such file.") from None
    except (OSError, UnicodeDecodeError):
        raise RunnerUnavailable("the file cannot be read.") from None


def _from_vault(where: str) -> str:
    place = _IN_VAULT.fullmatch(where)
    if place is None or ".." in where:
        raise RunnerRefused("it refers to nothing that Vault can have.")
    fields = _read_vault(place[1])
    found = fields.get(place[2])
    if not isinstance(found, str):
        raise RunnerRefused("Vault has no such field there.")
    return found


@sensitive_variables()
def _read_vault(path: str) -> Mapping[str, object]:
    key = settings.VAULT_ADDR, path
    known = _kept.get(key)
    if known is not None and time.monotonic() - known[0] < KEPT:
        return known[1]
    mount, _, inside = path.partition("/")
    url = f"{settings.VAULT_ADDR.rstrip('/')}/v1/{quote(mount)}/data/{quote(inside)}"
    answer = async_to_sync(_ask_vault)(url, _token())
    data = answer.get("data")
    fields = data.get("data") if isinstance(data, dict) else None
    if not isinstance(fields, dict):
        raise RunnerRefused("Vault has nothing there.")
    _kept[key] = time.monotonic(), fields
    return fields


@sensitive_variables()
async def _ask_vault(url: str, token: str) -> Mapping[str, object]:
    headers = {"x-vault-token": token, "x-vault-request": "true"}
    if settings.VAULT_NAMESPACE:
        headers["x-vault-namespace"] = settings.VAULT_NAMESPACE
    async with make_pool(connections=1, also=[urlsplit(settings.VAULT_ADDR).hostname or ""]) as pool:
        return (await Web(pool, [token], within=10).ask("GET", url, headers=headers)).mapping()


@sensitive_variables()
def _token() -> str:
    if not settings.VAULT_TOKEN_FILE:
        return str(settings.VAULT_TOKEN)
    try:
        return Path(settings.VAULT_TOKEN_FILE).read_text().strip()
    except OSError:
        raise RunnerUnavailable("Vault's token cannot be read.") from None
