"""The logs of work that is done in parts (jobs, steps, tasks), read while they grow: one part after the other.

1. Parts are read in the order in which they began, as the engine tells it. One that turns up later comes after those
   that have been read: these are known by their marks (`Order.log_parts`), also where the engine's order changes.
2. A log's offset is the number of a part in this order and an offset in it, in one integer that only grows.
3. A look reads on where the last one has stopped, and goes on to the next part once this one is over.
4. While a part goes on only whole lines are taken: a secret is never split between two looks, so it is always masked.
5. The last part's log may come late: it is asked for again until there is one, or a later part. So it is with a part
   that was being read and of which the engine tells no more. One that was passed without a log has a mark that says so.
6. Once everything is over, the rest of the part that was being read follows, and the part that tells why.

A log that cannot be had just now keeps nobody from seeing how the work stands.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from itertools import islice
from typing import TypedDict

from activities.engines import MOST_LOG
from activities.runners import Order
from activities.web.answers import Answer
from activities.web.client import SIZE
from config.errors import RunnerError, RunnerRefused, RunnerUnavailable

PART = 1 << 52
"""What an offset grows by from one part to the next."""
MOST_PARTS = (1 << 63) // PART
PASSED = "!"
"""What the mark of a part ends with that had no log when it was passed."""
AT_ONCE = 5
"""Parts whose logs one look reads, at most."""


@dataclass(frozen=True, slots=True)
class Part:
    """A job, a step or a task that has begun; `log` names its log, where `id` does not. The whole has no name."""

    id: str
    name: str
    is_over: bool
    log: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """What a part has written since an offset, and the one to ask with next."""

    text: str
    offset: int


Listing = Sequence[Part] | Awaitable[Sequence[Part]]
"""The parts, or a question for them, which may fail like any other."""


class Grown(TypedDict):
    """What an outcome says of a log: the new text, and with what the next look goes on."""

    log: str
    log_offset: int
    log_parts: str


Reading = Callable[[Part, int], Awaitable[Piece | None]]
"""Reads a part's log from an offset on; None if there is none (yet)."""


async def followed(listing: Listing, order: Order, log_offset: int, read: Reading) -> Grown:
    """Returns what the parts of work that goes on have written since an offset.

    Raises RunnerUnavailable only where the engine asks to be left alone.
    """
    number, offset = divmod(log_offset, PART)
    told: list[str] = []
    parts: dict[str, Part | None] = {}
    passed = _passed(order)
    try:
        parts = _in_order(listing if isinstance(listing, Sequence) else await listing, order)
        for mark, part in islice(parts.items(), number, min(number + AT_ONCE, MOST_PARTS)):
            piece = await read(part, offset) if part is not None else None
            if piece is None and mark == next(reversed(parts)):
                break
            told += _told(part, piece, offset)
            if part is not None and not part.is_over:
                offset = piece.offset if piece is not None else offset
                break
            if piece is None and not offset:
                passed.add(mark)
            number, offset = number + 1, 0
    except RunnerUnavailable as error:
        if error.retry_after:
            raise
    except RunnerError:
        pass
    read_parts = (f"{mark}{PASSED if mark in passed else ''}" for mark in islice(parts, number + bool(offset)))
    marks = " ".join(read_parts) if parts else order.log_parts
    return Grown(log="".join(told), log_offset=min(number, MOST_PARTS - 1) * PART + offset, log_parts=marks)


async def ended(listed: Sequence[Part], order: Order, log_offset: int, read: Reading, shown: Sequence[Part]) -> Grown:
    """Returns the rest of a log once everything is over.

    It is the rest of the part that was being read, and the first of `shown` that has a log, if nobody has seen it yet.
    """
    number, offset = divmod(log_offset, PART)
    told: list[str] = []
    parts, passed = list(_in_order(listed, order).items()), _passed(order)
    current = parts[number][1] if offset and number < len(parts) else None
    if current is not None and (rest := await _had(read, current, offset)) is not None:
        told.append(rest.text)
    seen = {mark for mark, _ in parts[: number + bool(offset)] if mark not in passed} if log_offset else set()
    for part in shown:
        if _mark(part) in seen:
            break
        if (piece := await _had(read, part, 0)) is not None:
            told += [_title(part) if log_offset else "", piece.text]
            break
    log = "".join(told)
    return Grown(log=log, log_offset=log_offset + bool(log), log_parts=order.log_parts)


def _in_order(parts: Sequence[Part], order: Order) -> dict[str, Part | None]:
    """The parts by their marks: those that have been read, None where there is none any more, then the others."""
    known = (mark.removesuffix(PASSED) for mark in order.log_parts.split())
    return dict.fromkeys(known) | {_mark(part): part for part in parts}


def _passed(order: Order) -> set[str]:
    """The marks of parts that were passed without a log."""
    return {mark.removesuffix(PASSED) for mark in order.log_parts.split() if mark.endswith(PASSED)}


def _mark(part: Part) -> str:
    """A short name without spaces, so that many of them are no burden."""
    return urlsafe_b64encode(blake2b(part.id.encode(), digest_size=6).digest()).decode()


def _told(part: Part | None, piece: Piece | None, offset: int) -> list[str]:
    """What a look tells of a part, under its name if it is the first to tell of it."""
    if part is None:
        return []
    text = piece.text if piece is not None else ""
    return [_title(part) if not offset and (part.is_over or text) else "", text]


async def _had(read: Reading, part: Part, offset: int) -> Piece | None:
    """Reads a log that the engine may refuse; one that it cannot give just now is worth another look."""
    try:
        return await read(part, offset)
    except RunnerRefused:
        return None


def piece_of(answer: Answer, part: Part, offset: int) -> Piece | None:
    """Returns the piece in the answer to a `request_of`: all of the log, or what follows the offset.

    None if the engine has no log. Of one that is too long to be read again and again, the rest comes at its end.
    """
    if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or (answer.is_cut and not part.is_over):
        return Piece("", offset)
    if answer.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return None
    is_rest = answer.is_cut or answer.status == HTTPStatus.PARTIAL_CONTENT
    body = answer.body if is_rest else answer.body[offset:]
    if not part.is_over:
        body = body[: body.rfind(b"\n") + 1]
    return Piece(shortened(body, part, offset, is_cut=answer.is_cut), offset + len(body))


def most_of(part: Part, offset: int) -> int:
    """Returns how many bytes of a log are worth reading: its end, or all of it where the engine knows no offset."""
    return SIZE if offset or not part.is_over else MOST_LOG


def shortened(body: bytes, part: Part, offset: int, *, is_cut: bool = False) -> str:
    """Returns the text of a piece; of one that is too long, the end with a mark of what is left out."""
    if not is_cut and len(body) <= MOST_LOG:
        return body.decode(errors="replace")
    what = "something" if offset else f"the beginning of '{part.name}'" if part.name else "the beginning"
    end = body[-MOST_LOG:].decode(errors="replace")
    return f"… ({what} is left out)\n{end.partition(chr(10))[2] or end}"


def _title(part: Part) -> str:
    return f"── {part.name} ──\n" if part.name else ""
