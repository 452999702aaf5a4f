"""One link of the chain that says why something waits, and how names and lists read in its words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from releases import assignees

#: How many names a sentence or a link tells; of more, only the number.
MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Link:
    """What something waits for. `kind` never changes its meaning; `words` say the same to a person, without times.

    `path` is the phase or activity it is about, the "it" of the words; `subject` is anything else (`freeze:year-end`,
    `task:look`, `role:lead`). `until` is when it passes by itself, if that is known, and `since` when it began. `who`
    names those who can move it on (`group:qa`, `user:ann`, `role:lead`), and `links` is what that in turn waits for. A
    link of the kind `more` stands for others that are left out.
    """

    kind: str
    words: str
    path: str = ""
    subject: str = ""
    until: datetime | None = None
    since: datetime | None = None
    who: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


def full_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names with their kinds, each once: `qa` becomes `group:qa`."""
    return tuple(dict.fromkeys(":".join(assignees.split(name)) for name in names))


def spoken(names: Iterable[str]) -> list[str]:
    """Return names as people say them: `group:qa` is qa, `role:lead` the role lead."""
    found = []
    for kind, rest in map(assignees.split, names):
        found.append(f"role {rest}" if kind == "role" else rest)
    return list(dict.fromkeys(found))


def listed(words: Sequence[str], last: str = "or") -> str:
    """Return words as one phrase: `ann, ben or cleo`; of more than MOST_NAMES the number of the others."""
    if len(words) > MOST_NAMES:
        return f"{', '.join(words[:MOST_NAMES])} and {len(words) - MOST_NAMES} more"
    return f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def who_of(links: Iterable[Link]) -> tuple[str, ...]:
    """Return everybody named by any of `links`, each once."""
    return tuple(dict.fromkeys(name for link in links for name in link.who))
