"""What a person may hear of, decided by an ordinary view and carried in the headers of its answer.

The view of `/live/` knows sessions and permissions, and cannot hold a connection open; the server can, and knows
neither. So the view answers at once, and `streams` turns a granted answer into a stream. Under a server without streams
the answer is what it says: 204, no stream to be had, and the page asks from time to time instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.http import HttpResponse

TOPICS, PERSON = "X-Pilothouse-Topics", "X-Pilothouse-Person"
_TOPICS, _PERSON = TOPICS.lower().encode(), PERSON.lower().encode()


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may hear of which topics; `headers` are those of the answer that said so."""

    person: int
    topics: frozenset[str]
    headers: tuple[tuple[bytes, bytes], ...] = ()


def granted(person: int, topics: Collection[str]) -> HttpResponse:
    """Return the answer of a view that lets a person hear of these topics."""
    return HttpResponse(status=204, headers={TOPICS: " ".join(sorted(topics)), PERSON: str(person)})


def grant_in(headers: Iterable[tuple[bytes, bytes]]) -> Grant | None:
    """Return what an answer with these headers (their names in small letters) grants, or None."""
    found = list(headers)
    named = dict(found)
    if _TOPICS not in named or _PERSON not in named:
        return None
    others = tuple((name, value) for name, value in found if name not in (_TOPICS, _PERSON))
    return Grant(int(named[_PERSON]), frozenset(named[_TOPICS].decode().split()), others)
