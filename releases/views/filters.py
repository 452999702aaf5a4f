"""The boxes above the list of releases: what may be chosen, what is chosen, and how it is taken away again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet

from config.permissions import groups_of
from processes.models import Process
from releases.models import Release, ReleaseGroup
from releases.reading.search import CHOICES, Search

#: How many groups and processes a box offers.
MOST = 300
_LABELS = {
    "state": "State", "health": "Health", "group": "Group", "process": "Process", "kind": "Kind", "who": "Who",
    "resource": "Resource", "since": "Planned from", "until": "Planned until",
}  # fmt: skip
_WORDS = {
    "open": "Not finished", "under_way": "Under way", "ok": "On track", "waiting": "Needs input", "on_hold": "On hold",
    "failing": "Failing", "group": "Of a group", "ad_hoc": "Ad hoc", "me": "What concerns me",
}  # fmt: skip
_SORTS = {
    "": "Newest first", "planned": "Planned start", "-planned": "Planned start, last first", "-started": "Last started",
    "started": "First started", "-finished": "Last finished", "finished": "First finished", "name": "Name",
    "-name": "Name, backwards",
}  # fmt: skip
#: The columns that sort: the heading, the order it asks for first, and the other one.
_HEADINGS = (("Release", "name", "-name"), ("State", "", ""), ("Progress", "", ""), ("Planned", "planned", "-planned"),
             ("Started", "-started", "started"), ("Finished", "-finished", "finished"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """A box to choose from: (value, words) pairs."""

    name: str
    label: str
    chosen: str
    options: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is in force, and the query without it."""

    label: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A column: the query that sorts by it, and how it is sorted now (`ascending`, `descending` or nothing)."""

    label: str
    query: str = ""
    now: str = ""


def words_of(name: str, value: str) -> str:
    """Return the value of a filter as people say it."""
    if name not in CHOICES and name != "who":
        return value
    return _WORDS.get(value) or value.replace("_", " ").removeprefix("group:").removeprefix("user:").capitalize()


def chips_of(search: Search) -> list[Chip]:
    """Return the filters in force, without the words, which their box shows."""
    found = {name: value for name, value in search.filters.items() if name != "q"}
    return [Chip(_LABELS[name], words_of(name, value), search.query(**{name: ""})) for name, value in found.items()]


def headings_of(search: Search) -> list[Heading]:
    """Return the columns of the list, each with the order that choosing it asks for."""
    found = []
    for label, first, second in _HEADINGS:
        if not first:
            found.append(Heading(label))
            continue
        is_here = search.sort in (first, second)
        now = ("descending" if search.sort.startswith("-") else "ascending") if is_here else ""
        found.append(Heading(label, search.query(sort=second if search.sort == first else first), now))
    return found


def boxes_of(user: User, search: Search, visible: QuerySet[Release]) -> dict[str, Any]:
    """Return the boxes to choose from: groups and processes are those of releases this person may see."""
    pairs = set(visible.order_by().values_list("group", "process").distinct())
    groups = _named(ReleaseGroup.objects.filter(pk__in={group for group, _ in pairs if group}))
    processes = _named(Process.objects.filter(pk__in={process for _, process in pairs}))
    own = [(f"group:{name}", name) for name in sorted(groups_of(user))]
    return {
        "state": _choice("state", search, [("", "Any state"), *_options("state")]),
        "sort": Choice("sort", "Order", search.sort, list(_SORTS.items())),
        "more": [
            _choice("group", search, [("", "Any"), *groups]),
            _choice("process", search, [("", "Any"), *processes]),
            _choice("health", search, [("", "Any"), *_options("health")]),
            _choice("kind", search, [("", "Any"), *_options("kind")]),
            _choice("who", search, [("", "Anybody"), ("me", _WORDS["me"]), *own]),
        ],
    }


def _named(things: QuerySet[Any]) -> list[tuple[str, str]]:
    return sorted(things.order_by().values_list("slug", "name"), key=_name)[:MOST]


def _name(option: tuple[str, str]) -> tuple[str, str]:
    return option[1].lower(), option[0]


def _options(name: str) -> list[tuple[str, str]]:
    return [(value, words_of(name, value)) for value in CHOICES[name]]


def _choice(name: str, search: Search, options: list[tuple[str, str]]) -> Choice:
    """Return a box that also offers what is chosen, if it is none of its options."""
    chosen = str(getattr(search, name))
    if chosen not in dict(options):
        options = [*options, (chosen, words_of(name, chosen))]
    return Choice(name, _LABELS[name], chosen, options)
