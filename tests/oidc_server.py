"""oidc-provider-mock as a command, with PKCE as authlib has it for servers: a code goes with its verifier only."""

from __future__ import annotations

import runpy
from typing import Any

import oidc_provider_mock._app as mock
from authlib.oauth2.rfc7636 import CodeChallenge

challenges: dict[str, tuple[str | None, str | None]] = {}


class Challenge(CodeChallenge):
    """The challenge of each code, which the mock itself does not keep."""

    def get_authorization_code_challenge(self, code: Any) -> str | None:
        return challenges[code.code][0]

    def get_authorization_code_challenge_method(self, code: Any) -> str | None:
        return challenges[code.code][1]


class Grant(mock.AuthorizationCodeGrant):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        Challenge(required=True)(self)

    def save_authorization_code(self, code: str, request: Any) -> None:
        asked = request.payload.data
        challenges[code] = asked.get("code_challenge"), asked.get("code_challenge_method")
        super().save_authorization_code(code, request)


if __name__ == "__main__":
    mock.AuthorizationCodeGrant = Grant
    runpy.run_module("oidc_provider_mock", run_name="__main__")
