"""A real OpenID provider (oidc-provider-mock, with PKCE) in a process of its own, which knows one client."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.system.installation import free_port, wait_until
from tests.web import spawn


@dataclass
class Idp:
    """The provider; `claims` sets what it says about somebody."""

    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        options = ["--port", str(self.port), "--require-registration", "true", "--require-nonce", "true"]
        self.process = spawn(self.log, "-m", "tests.oidc_server", *options)
        wait_until(self._answers, f"the provider answers; see {self.log}", 30)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)

    def register(self, callback: str) -> tuple[str, str]:
        """Return the id and the secret of a client that is sent back to `callback`."""
        body = {"redirect_uris": [callback], "token_endpoint_auth_method": "client_secret_post"}
        made = httpx.post(f"{self.issuer}/oauth2/clients", json=body).raise_for_status().json()
        return made["client_id"], made["client_secret"]

    def token(self, client: tuple[str, str], code: str, **more: str) -> httpx.Response:
        """Return what the provider answers to whoever asks for the token of a code."""
        name, secret = client
        body = {"grant_type": "authorization_code", "code": code, "client_id": name, "client_secret": secret, **more}
        return httpx.post(f"{self.issuer}/oauth2/token", data=body)

    def claims(self, subject: str, **claims: Any) -> None:
        httpx.put(f"{self.issuer}/users/{subject}", json=claims).raise_for_status()

    def agree(self, address: str, subject: str = "", **more: str) -> str:
        """Return where somebody is sent who signs in at `address` of the provider."""
        answer = httpx.post(address, data={"sub": subject, **more})
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def _answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.issuer}/.well-known/openid-configuration").is_success
        return False


@contextmanager
def provider(log: Path) -> Iterator[Idp]:
    """A provider while it is needed."""
    idp = Idp(log)
    idp.start()
    try:
        yield idp
    finally:
        idp.stop()


def asked(address: str) -> dict[str, str]:
    """What an address asks for."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
