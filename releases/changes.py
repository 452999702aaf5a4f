"""Commits and tickets as pipelines and people name them: `abc123`, a list, or objects with a title and a link.

Pipelines name the same thing by other words than we do (`sha`, `key`, `message`, `url`): these are understood.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.errors import Fault

#: How many commits, and how many tickets, one activity or request may name.
MOST = 500
LENGTHS = {"reference": 200, "repository": 200, "title": 300, "author": 200, "link": 1000}
_WORDS = {
    "reference": ("reference", "sha", "key", "id"),
    "repository": ("repository", "repo"),
    "title": ("title", "message", "summary"),
    "author": ("author", "author_name"),
    "link": ("link", "url", "html_url"),
}
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Named:
    """A commit or a ticket that was named."""

    kind: str
    reference: str
    repository: str = ""
    title: str = ""
    author: str = ""
    link: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from all others of a release: kind, repository and reference."""
        return self.kind, self.repository, self.reference


@dataclass(slots=True)
class Reading:
    """What was read: every change once, in order, and what could not be read."""

    found: list[Named] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def read(kind: str, said: Any, place: str) -> Reading:
    """Return the changes of a kind that `said` names, and a fault for each that cannot be kept; `place` is its name.

    A text is JSON, or references apart by spaces, commas or lines.
    """
    reading, seen = Reading(), set[tuple[str, str, str]]()
    entries = _entries(said)
    if len(entries) > MOST:
        reading.faults.append(Fault(place, f"It names {len(entries)}.", f"The first {MOST} are kept."))
    for index, entry in enumerate(entries[:MOST]):
        named = _named(kind, entry)
        faults = list(_faults(named, f"{place}[{index}]"))
        reading.faults += faults
        if not faults and named.key not in seen:
            seen.add(named.key)
            reading.found.append(named)
    return reading


def _entries(said: Any) -> Sequence[Any]:
    if isinstance(said, str):
        text = said.strip()
        if not text.startswith(("[", "{")):
            return [word for word in re.split(r"[\s,;]+", text) if word]
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return [text]
    if isinstance(said, list | tuple):
        return said
    return [] if said is None else [said]


def is_web_page(link: str) -> bool:
    """Return whether a link leads to a page, and to nothing that a browser would run."""
    return link.startswith(("https://", "http://"))


def _named(kind: str, entry: Any) -> Named:
    if not isinstance(entry, Mapping):
        return Named(kind, _text(entry))
    values = {name: _first(entry, words) for name, words in _WORDS.items()}
    values["title"] = values["title"].partition("\n")[0][: LENGTHS["title"]]
    return Named(kind, **values)


def _first(entry: Mapping[Any, Any], words: Sequence[str]) -> str:
    return next((_text(entry[word]) for word in words if entry.get(word)), "")


def _text(value: Any) -> str:
    """Return a value as text; of an object such as an author, its name."""
    if isinstance(value, Mapping):
        value = value.get("name") or value.get("login") or ""
    return value.strip() if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _faults(named: Named, place: str) -> Iterator[Fault]:
    if not named.reference:
        yield Fault(place, f"The {named.kind} has no reference.", "Such as its hash, or its number.")
    for name, most in LENGTHS.items():
        text = str(getattr(named, name))
        if len(text) > most:
            yield Fault(f"{place}.{name}", f"It has {len(text)} characters.", f"At most {most} are kept.")
        if _UNWRITABLE.search(text):
            yield Fault(f"{place}.{name}", "It contains a character that is no text.", "Remove it.")
    if named.link and not is_web_page(named.link):
        yield Fault(f"{place}.link", "The link leads to no web page.", "It starts with https:// or http://.")
