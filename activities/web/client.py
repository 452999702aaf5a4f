"""How engines are called: `Web` is all that an engine gets of the outside world.

Only http and https, no credentials in addresses, TLS verified, time and size limited. A redirect is followed to the
same origin only, and only for what changes nothing. What goes wrong is a RunnerUnavailable (network, time, 408, 425,
429, 5xx, an answer that breaks off) or a RunnerRefused (any other 4xx), with secrets masked.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin

import certifi
import httpx
from django.conf import settings

from activities.web.addresses import Allowed, address_fault, origin_of, shown
from activities.web.answers import Answer, clean, error_in, read
from activities.web.guard import Guard, Resolve, resolve
from activities.web.transport import GuardedTransport
from config.errors import RunnerError, RunnerRefused, RunnerUnavailable

CONNECT, READ, WHOLE = 5.0, 20.0, 30.0
"""Seconds to connect, between two pieces of an answer, and for a whole call."""
SIZE = 4 * 1024 * 1024
"""Bytes that an answer may have."""
MOST_REDIRECTS = 3
LARGEST_REMEMBERED, MOST_REMEMBERED = 32 * 1024, 1_000
"""Bytes of an answer that is kept to be told "not modified", and how many are kept for one engine."""
_MOVED = {301, 302, 303, 307, 308}
_HEADERS = {"accept-encoding": "gzip", "user-agent": "Pilothouse"}


class Pool(httpx.AsyncClient):
    """The open connections to one engine, and answers that the engine can say have not changed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._answers: OrderedDict[str, Answer] = OrderedDict()

    def remembered(self, url: str) -> Answer | None:
        """Returns the last answer of an address."""
        return self._answers.get(url)

    def remember(self, url: str, answer: Answer) -> None:
        """Keeps an answer, in place of those that were not asked for longest."""
        if "etag" in answer.headers and len(answer.body) <= LARGEST_REMEMBERED and not answer.is_cut:
            self._answers[url] = answer
            self._answers.move_to_end(url)
            while len(self._answers) > MOST_REMEMBERED:
                self._answers.popitem(last=False)


@cache
def tls_context(authorities: str = "") -> ssl.SSLContext:
    """Returns what verifies certificates: by the well-known authorities, and those of a file, if one is named."""
    context = ssl.create_default_context(cafile=certifi.where())
    if authorities:
        context.load_verify_locations(cafile=authorities)
    return context


def make_pool(*, connections: int = 20, resolving: Resolve = resolve, also: Iterable[str] = ()) -> Pool:
    """Returns the open connections to one engine, at most so many; close it with `aclose()`.

    It keeps no cookies and reads no environment. `also` are names that the operator has set otherwise.
    """
    guard = Guard(Allowed.of([*settings.OUTBOUND_ALLOW, *also]), resolving)
    return Pool(
        transport=GuardedTransport(guard, tls=tls_context(settings.OUTBOUND_CA), connections=connections),
        timeout=httpx.Timeout(READ, connect=CONNECT, pool=WHOLE),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers=_HEADERS,
        follow_redirects=False,
        trust_env=False,
    )


class Web:
    """Calls an engine for one order. `masks` are values that may appear in no message.

    `rest` is for how many seconds the engine has asked to be left alone, while it still answered.
    """

    def __init__(self, pool: Pool, masks: Iterable[str] = (), *, within: float = WHOLE) -> None:
        self._pool, self._within = pool, within
        self.masks = tuple(masks)
        self.rest = 0.0

    async def ask(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        accept: Collection[int] = (),
        most: int = SIZE,
        tail: bool = False,
        elsewhere: bool = False,
        remembers: bool = False,
    ) -> Answer:
        """Returns the answer if its status is below 400 or among `accept`; a redirect among them is not followed.

        `auth` is a name and a password; one of `json`, `form` and `content` is the body. An answer of more than `most`
        bytes is an error, except with `tail`: then its last bytes are returned. With `elsewhere`, a GET follows a
        redirect to another origin too, without any header of ours: engines keep logs and artifacts in storage. With
        `remembers`, the engine is asked whether its last answer (by ETag) still holds: that may cost less.
        Raises RunnerUnavailable (with `retry_after` if the engine has asked for it) or RunnerRefused.
        """
        given, masks = dict(headers or {}), self.masks
        known = self._pool.remembered(url) if remembers else None
        if known is not None:
            given["if-none-match"] = known.headers["etag"]
        if auth is not None:
            packed = base64.b64encode(":".join(auth).encode()).decode()
            given["authorization"] = f"Basic {packed}"
            masks = (*masks, packed)
        body = {"json": json, "data": form, "content": content}
        sent = {name: value for name, value in body.items() if value is not None}
        try:
            async with asyncio.timeout(self._within):
                reading = most, tail, elsewhere, accept
                answer = await self._follow(method.upper(), url, params, given, sent, reading)
        except (TimeoutError, httpx.TimeoutException):
            raise RunnerUnavailable(f"{clean(shown(url), masks)} did not answer in time.") from None
        except (httpx.LocalProtocolError, httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError, TypeError):
            raise RunnerRefused(f"The request to {clean(shown(url), masks)} cannot be sent as it is.") from None
        except httpx.HTTPError as error:
            raise RunnerUnavailable(_unreachable(url, error, masks)) from None
        wrong = None if answer.status in accept else error_in(method.upper(), answer, masks)
        if wrong is not None:
            raise wrong
        if answer.is_cut and not tail:
            raise RunnerUnavailable(f"{clean(shown(url), masks)} answered more than {most} bytes.")
        self.rest = max(self.rest, answer.rest)
        if known is not None and answer.status == HTTPStatus.NOT_MODIFIED:
            return known
        if remembers:
            self._pool.remember(url, answer)
        return answer

    def error(self, method: str, answer: Answer) -> RunnerError:
        """Returns the error that an accepted answer stands for after all."""
        return error_in(method, answer, self.masks) or RunnerRefused(f"{answer.status} was not expected.")

    async def _follow(
        self,
        method: str,
        url: str,
        params: Mapping[str, str | int] | None,
        headers: dict[str, str],
        body: Mapping[str, Any],
        reading: tuple[int, bool, bool, Collection[int]],
    ) -> Answer:
        most, tail, elsewhere, accept = reading
        here, place = url, clean(shown(url), self.masks)
        for _ in range(MOST_REDIRECTS + 1):
            _require_address(here)
            request = self._pool.build_request(method, here, params=params, headers=headers, **body)
            answer = await self._send(request, most=most, tail=tail)
            target = answer.headers.get("location")
            if answer.status not in _MOVED or not target or answer.status in accept:
                return answer
            target = urljoin(here, target)
            if method not in ("GET", "HEAD"):
                raise RunnerRefused(f"{place} has moved; the connection must name its new place.")
            if address_fault(target) or origin_of(target) != origin_of(here):
                if not elsewhere or not target.startswith("https://" if here.startswith("https://") else "http"):
                    raise RunnerRefused(f"{place} leads to another site, which is not followed.")
                headers = {}
            here, params = target, None
        raise RunnerRefused(f"{place} leads in circles.")

    async def _send(self, request: httpx.Request, *, most: int, tail: bool) -> Answer:
        response = await self._pool.send(request, stream=True)
        try:
            body, is_cut = await read(response, most=most, tail=tail)
        finally:
            await response.aclose()
        return Answer(response.status_code, dict(response.headers), body, str(request.url), is_cut)


def _require_address(url: str) -> None:
    fault = address_fault(url)
    if fault:
        raise RunnerRefused(f"The address {fault}.", code="address_refused")


def _unreachable(url: str, error: Exception, masks: Iterable[str]) -> str:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    place = clean(shown(url), masks)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"The certificate of {place} cannot be trusted: {clean(cause.verify_message, masks)}."
    why = "broke off in the middle of its answer" if isinstance(error, httpx.ProtocolError) else "cannot be reached"
    return f"{place} {why}{f': {said}' if (said := clean(str(error), masks)) else ''}."
