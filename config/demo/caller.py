"""A sample person at the public REST API, with a token of their own: what they do, anybody's program can do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
from django.contrib.auth.models import User
from django.utils import timezone

from config.errors import SetUpFailed
from config.tokens import create_token, revoke_token

TOKEN = "make run"  # noqa: S105 - what the token is called
TOKEN_LIVES = timedelta(hours=1)  # should it not be revoked in time
ANSWERS_WITHIN = 30.0  # seconds in which a web process that died has to be back
TRY_AGAIN_AFTER = 0.5  # seconds

#: Waits for so many seconds; false as soon as somebody asks to stop.
Pause = Callable[[float], bool]


class Interrupted(Exception):
    """Somebody asked to stop while the first release was under way."""


class Refused(SetUpFailed):
    """The API did not do what one of the sample people asked."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Caller:
    """A person with a client of the API, as a context: the token is made on entering and revoked on leaving."""

    def __init__(self, user: User, address: str, pause: Pause) -> None:
        self.username = user.get_username()
        self.name = user.get_full_name() or self.username
        self._user = user
        self._address = address
        self._pause = pause

    def __enter__(self) -> Self:
        now = timezone.now()
        self._token, key = create_token(
            self._user, name=TOKEN, scopes=("read", "write"), now=now, expires_at=now + TOKEN_LIVES
        )
        self._client = httpx.Client(
            base_url=f"{self._address}/api/v1/",
            headers={"Authorization": f"Bearer {key}"},
            timeout=ANSWERS_WITHIN,
            trust_env=False,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        revoke_token(self._user, self._token, now=timezone.now())

    def get(self, path: str, **query: str | int) -> Any:
        """Return the answer to a GET. Raises Refused, SetUpFailed when nobody answers, Interrupted."""
        return self._send(self._client.build_request("GET", path, params=query))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the answer to a POST, which happens once even if it has to be sent twice. Raises like `get`."""
        once = {"Idempotency-Key": str(uuid4())}
        return self._send(self._client.build_request("POST", path, json=body or {}, headers=once))

    def _send(self, request: httpx.Request) -> Any:
        give_up_at = time.monotonic() + ANSWERS_WITHIN
        while True:
            try:
                answer = self._client.send(request)
            except httpx.TransportError as error:
                if time.monotonic() > give_up_at:
                    raise SetUpFailed(f"The API does not answer at {self._address}: {error}") from error
            else:
                return self._read(request, answer)
            if not self._pause(TRY_AGAIN_AFTER):
                raise Interrupted

    def _read(self, request: httpx.Request, answer: httpx.Response) -> Any:
        if answer.is_success:
            return answer.json()
        what = f"{request.method} {request.url.path}"
        if answer.headers.get("content-type", "").startswith("application/problem+json"):
            raise Refused(f"{self.name} was refused {what}: {answer.json()['detail']}", status=answer.status_code)
        raise Refused(f"{what} failed with status {answer.status_code}.", status=answer.status_code)
