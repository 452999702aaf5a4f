"""What the apps above tell the store, which must not import them: what is wrong with a document, who uses a thing, and
what is to be done when something has changed.

Each app registers once, in its AppConfig.ready().
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.db import models, transaction

from config.errors import Fault, InvalidInput

Check = Callable[[Mapping[str, Any]], list[Fault]]
Finder = Callable[[models.Model], list[str]]
Watcher = Callable[[datetime], None]

_saving: dict[str, Check] = {}
_publishing: dict[str, Check] = {}
_finders: list[Finder] = []
_watchers: list[Watcher] = []


def register_checks(kind: str, *, saving: Check, publishing: Check | None = None) -> None:
    """Names what looks at a kind's documents whenever one is saved, and what else when one is published."""
    _saving[kind] = saving
    if publishing is not None:
        _publishing[kind] = publishing


def register_finder(finder: Finder) -> None:
    """Adds a finder: given a connection, store activity or secret, it names who uses it ("process 'hotfix'")."""
    if finder not in _finders:
        _finders.append(finder)


def register_watcher(watcher: Watcher) -> None:
    """Adds what is called, with the moment, after the commit of a change to what releases are made from."""
    if watcher not in _watchers:
        _watchers.append(watcher)


def tell(now: datetime) -> None:
    """Says, inside the transaction that makes it, that a secret, a connection or something published has changed."""
    for watcher in _watchers:
        transaction.on_commit(partial(watcher, now))


def require_savable(document: Mapping[str, Any]) -> None:
    """Raises InvalidInput with everything that keeps a document from being kept as a draft."""
    _require(_saving, document)


def require_publishable(document: Mapping[str, Any]) -> None:
    """Raises InvalidInput with everything that keeps a document from being published."""
    _require(_saving, document)
    _require(_publishing, document)


def users_of(thing: models.Model) -> list[str]:
    """Returns who uses the thing, as the apps above name them."""
    return [name for finder in _finders for name in finder(thing)]


def _require(checks: Mapping[str, Check], document: Mapping[str, Any]) -> None:
    check = checks.get(str(document.get("kind")))
    faults = check(document) if check else []
    if faults:
        raise InvalidInput(faults)
