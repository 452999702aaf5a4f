"""The store activities that come with Pilothouse: a file of documents for each provider, in the folder `shipped`.

Each names its provider's connection, whose id is the provider's name, and can be fitted to another one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from processes.document import load

Document = Mapping[str, Any]

FOLDER = Path(__file__).parent / "shipped"
_TITLES = {
    "goff": "GO Feature Flag",
    "harness_fme": "Harness FME",
    "launchdarkly": "LaunchDarkly",
    "servicenow": "ServiceNow",
}
_END = re.compile(r"\)$")


@dataclass(frozen=True, slots=True)
class Shipped:
    """What comes for one provider: `connection` is the id of the connection that its `documents` name."""

    provider: str
    connection: str
    documents: tuple[Document, ...]

    @property
    def title(self) -> str:
        """The provider's name as people write it."""
        return _TITLES.get(self.provider, self.provider.replace("_", " ").capitalize())


@cache
def shipped() -> Mapping[str, Shipped]:
    """What comes with Pilothouse, by provider, in the order of the titles."""
    found = [_read(path) for path in FOLDER.glob("*.yaml")]
    return {one.provider: one for one in sorted(found, key=lambda one: one.title.casefold())}


def fitted(document: Document, *, connection: str, prefix: str = "") -> dict[str, Any]:
    """The document with another connection and an id that begins with `prefix`; its name tells that connection too."""
    found = deepcopy(dict(document))
    found["id"] = prefix + found["id"]
    if found["automated"]["connection"] != connection:
        found["automated"]["connection"] = connection
        name = str(found["name"])
        found["name"] = _END.sub(f", {connection})", name) if name.endswith(")") else f"{name} ({connection})"
    return found


def _read(path: Path) -> Shipped:
    documents = tuple(load(path.read_text(encoding="utf-8")))
    return Shipped(path.stem.replace("-", "_"), str(documents[0]["automated"]["connection"]), documents)
