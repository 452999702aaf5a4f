"""Who calls the API: a person signed in by the browser, or the owner of a token (`Authorization: Bearer ph_…`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request

from config.errors import NotPermitted
from config.models import ApiToken
from config.tokens import find_token

if TYPE_CHECKING:
    from rest_framework.views import APIView

_FOUND = "_pilothouse_token"


def bearer(request: HttpRequest) -> str | None:
    """Return the key in the request's Authorization header, or None if it carries no bearer key."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def token_of(request: HttpRequest) -> ApiToken | None:
    """Return the token a request carries, looked up once; None if it has none or not a good one."""
    if not hasattr(request, _FOUND):
        key = bearer(request)
        setattr(request, _FOUND, find_token(key, now=timezone.now()) if key else None)
    found: ApiToken | None = getattr(request, _FOUND)
    return found


def caller(request: HttpRequest) -> User | None:
    """Return who sends a request, outside of the API's views."""
    if bearer(request) is not None:
        token = token_of(request)
        return token.user if token else None
    return request.user if isinstance(request.user, User) else None


class TokenAuthentication(BaseAuthentication):
    """A request with a bearer key is its token's owner's; a key that is not good any more is refused."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return owner and token, or None when the request carries no bearer key."""
        plain = request._request  # noqa: SLF001  the framework offers no other way to what the middleware has found
        if bearer(plain) is None:
            return None
        token = token_of(plain)
        if token is None:
            raise AuthenticationFailed("The token is unknown, revoked or expired.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Return what a caller without credentials is told, which makes the answer a 401."""
        return 'Bearer realm="Pilothouse"'


class InScope(IsAuthenticated):
    """Whoever is signed in; a token's scopes must allow the method: `read` to look, `write` for everything else."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the caller is known. Raises NotPermitted when the token's scopes are too narrow."""
        if not super().has_permission(request, view):
            return False
        if isinstance(request.auth, ApiToken):
            looks = request.method in SAFE_METHODS or getattr(view, "action", None) in getattr(view, "looks", ())
            if "write" not in request.auth.scopes and not (looks and "read" in request.auth.scopes):
                need = "read" if looks else "write"
                raise NotPermitted(f"This token's scopes do not include '{need}'.", code="scope")
        return True
