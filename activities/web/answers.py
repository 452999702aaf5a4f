"""What engines answer, read within limits, and what their errors mean for the caller."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any, cast

import httpx

from activities.masking import mask
from activities.web.addresses import shown
from config.errors import RunnerError, RunnerRefused, RunnerUnavailable

LONGEST_REST = 3_600.0
"""Seconds that an engine may have us wait, at most."""
MOST_READ = 64 * 1024 * 1024
"""Bytes that are read of an answer of which only the tail is wanted."""
_STEP = 64 * 1024
_AGAIN = {408, 425, 429}
_DENIED = {401, 403, 407}
_WORDS = ("message", "error_description", "error", "errors", "detail", "title", "reason", "messages", "errorMessages")
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """An engine's answer, whole unless `is_cut`; header names are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    url: str = field(repr=False)
    is_cut: bool = False

    @property
    def text(self) -> str:
        """The body as text, odd bytes marked."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """Returns the body's JSON. Raises RunnerUnavailable when it is none, or not all of it came."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise RunnerUnavailable(f"{shown(self.url)} answered something that is not JSON.") from None

    def mapping(self) -> dict[str, Any]:
        """Returns the body's JSON mapping. Raises RunnerUnavailable when it is none."""
        found = self.json()
        if not isinstance(found, dict):
            raise RunnerUnavailable(f"{shown(self.url)} answered JSON of an unexpected shape.")
        return cast("dict[str, Any]", found)

    def listed(self, key: str = "") -> list[dict[str, Any]]:
        """Returns the mappings in the body's JSON list, or in the list under `key`; RunnerUnavailable otherwise."""
        found = self.mapping().get(key) if key else self.json()
        if not isinstance(found, list):
            raise RunnerUnavailable(f"{shown(self.url)} answered JSON of an unexpected shape.")
        return [entry for entry in found if isinstance(entry, dict)]

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the answer sets; nothing keeps them but the engine that reads them."""
        try:
            return {name: morsel.value for name, morsel in SimpleCookie(self.headers.get("set-cookie", "")).items()}
        except CookieError:
            return {}

    @property
    def rest(self) -> float:
        """Seconds for which the engine asks to be left alone; 0 if it does not."""
        return rest_in(self.headers)


async def read(response: httpx.Response, *, most: int, tail: bool) -> tuple[bytes, bool]:
    """Returns the body and whether it was cut: its first `most` bytes or, with `tail`, the last ones.

    Counted after decompression, which goes in small steps: a small answer cannot become a large one in memory.
    """
    kept, seen = bytearray(), 0
    async for piece in _decoded(response):
        kept += piece
        seen += len(piece)
        if tail and len(kept) > 2 * most:
            del kept[:-most]
        if seen > (MOST_READ if tail else most):
            break
    return bytes(kept[-most:] if tail else kept[:most]), seen > most


async def _decoded(response: httpx.Response) -> AsyncIterator[bytes]:
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding in ("", "identity"):
        async for raw in response.aiter_raw():
            yield raw
        return
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise RunnerUnavailable(f"{shown(str(response.url))} answered in an encoding that was not asked for.")
    inflating = zlib.decompressobj(47)
    try:
        async for raw in response.aiter_raw():
            waiting = raw
            while waiting:
                yield inflating.decompress(waiting, _STEP)
                waiting = inflating.unconsumed_tail
    except zlib.error:
        raise RunnerUnavailable(f"{shown(str(response.url))} answered something that cannot be unpacked.") from None
    if not inflating.eof:
        raise RunnerUnavailable(f"{shown(str(response.url))} broke off in the middle of its answer.")


def error_in(method: str, answer: Answer, masks: Iterable[str]) -> RunnerError | None:
    """Returns the error that an answer stands for, in the engine's own words; None for a good one."""
    status = answer.status
    if status < HTTPStatus.BAD_REQUEST:
        return None
    named = f"{status} {_phrase(status)}".strip()
    words = clean(words_of(answer), masks)
    message = clean(f"{method} {shown(answer.url)}: {named}", masks) + (f": {words}" if words else "")
    if status in _AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR or (status in _DENIED and answer.rest):
        return RunnerUnavailable(message, retry_after=answer.rest or None)
    return RunnerRefused(message, code="engine_denied" if status in _DENIED else "")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def words_of(answer: Answer) -> str:
    """Returns what the engine says about its error: the message in its JSON, or its text; nothing for a page."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        is_page = "html" in answer.headers.get("content-type", "") or answer.body.lstrip()[:1] == b"<"
        return "" if is_page else answer.text
    return _said(found)


def _said(found: Any, depth: int = 0) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return "; ".join(filter(None, (_said(one, depth + 1) for one in found[:5]))) if depth < 4 else ""
    if isinstance(found, dict) and depth < 4:
        said = [_said(found[key], depth + 1) for key in _WORDS if found.get(key)]
        if depth and not any(said):
            said = [f"{key}: {_said(value, depth + 1)}" for key, value in list(found.items())[:5]]
        return "; ".join(dict.fromkeys(filter(None, said)))
    return ""


def clean(text: str, masks: Iterable[str] = ()) -> str:
    """Returns a text fit for a message: masked, on one line, cut, without credentials or queries in addresses."""
    found = " ".join(mask(text[:20_000], masks)[:2_000].split())
    found = re.sub(r"://[^/\s@\"'<>]*@", "://", found)
    found = re.sub(r"(://[^\s?\"'<>]*)\?[^\s\"'<>]*", r"\1", found)
    return found if len(found) <= _LONGEST else f"{found[: _LONGEST - 1]}…"


def rest_in(headers: Mapping[str, str]) -> float:
    """Returns the seconds for which an engine asks to be left alone, within LONGEST_REST; 0 if it does not.

    Retry-After as seconds or date; X-RateLimit-Reset and RateLimit-Reset when nothing remains, as a moment or as
    seconds. Moments are counted from the answer's own Date, so that a clock that differs does no harm.
    """
    at = _moment(headers.get("date", "")) or time.time()
    asked = headers.get("retry-after", "").strip()
    if asked:
        seconds = _number(asked)
        moment = _moment(asked)
        if seconds is None and moment is not None:
            seconds = moment - at
        if seconds is not None:
            return _bounded(seconds)
    for prefix in ("x-ratelimit", "ratelimit"):
        reset = _number(headers.get(f"{prefix}-reset", ""))
        if reset is not None and _number(headers.get(f"{prefix}-remaining", "")) == 0:
            return _bounded(reset - at if reset > 1_000_000_000 else reset)
    return 0.0


def _bounded(seconds: float) -> float:
    return min(LONGEST_REST, max(1.0, seconds))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < 1e12 else None


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
