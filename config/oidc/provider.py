"""The conversation with the provider: where a person is sent, and what it then says about them.

Beyond what allauth does, the token is bound to this sign-in by a nonce, its signature is always verified, the provider
must be the one that was configured, and what it says at its two addresses must be about one and the same person.
"""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import certifi
import jwt
import requests
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.crypto import get_random_string
from requests.adapters import HTTPAdapter

from config.oidc.failures import SignInFailed

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
LEEWAY = 60
"""Seconds that the provider's clock may differ from ours."""
MISSHAPEN = (LookupError, ValueError, TypeError, AttributeError)
UNREADABLE = (requests.RequestException, OAuth2Error, jwt.PyJWTError, *MISSHAPEN)
"""What is raised where an answer has another shape than it should have."""


class Authorities(HTTPAdapter):
    """Trusts the authorities of `PILOTHOUSE_OUTBOUND_CA` beside those that everybody trusts."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        """Has every connection verified by them."""
        return super().init_poolmanager(*args, **kwargs, ssl_context=self._context())

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=certifi.where())
        context.load_verify_locations(cafile=settings.OUTBOUND_CA)
        return context


class Accounts(DefaultSocialAccountAdapter):
    """What allauth asks the site: the provider of the settings is the only one."""

    def list_apps(self, *_: Any, **__: Any) -> list[SocialApp]:
        """The one provider, if there is one."""
        return [app()] if settings.OIDC_ISSUER else []

    def get_requests_session(self) -> requests.Session:
        """A session that gives up after some seconds."""
        session: requests.Session = super().get_requests_session()
        if settings.OUTBOUND_CA:
            session.mount("https://", Authorities())
        return session


def app() -> SocialApp:
    """Return what the settings say about the provider; its accounts are told apart by its issuer."""
    return SocialApp(
        provider=OpenIDConnectProvider.id,
        provider_id=settings.OIDC_ISSUER,
        name=settings.OIDC_NAME,
        client_id=settings.OIDC_CLIENT_ID,
        secret=settings.OIDC_CLIENT_SECRET,
        settings={
            "server_url": settings.OIDC_ISSUER,
            "oauth_pkce_enabled": True,
            "scope": list(dict.fromkeys(["openid", *settings.OIDC_SCOPES])),
        },
    )


class Provider(OpenIDConnectProvider):
    """The provider, spoken with as `Conversation` does."""

    def get_oauth2_adapter(self, request: HttpRequest) -> Conversation:
        """Return the way to speak with it."""
        return Conversation(request)

    def send(self, request: HttpRequest, goal: str) -> HttpResponse:
        """Return what sends a person there, to come back for `goal`. Raises SignInFailed."""
        nonce = get_random_string(32)
        parameters = {"nonce": nonce}
        with trusting():
            answer: HttpResponse = self.redirect(request, "login", next_url=goal, auth_params=parameters, nonce=nonce)
        return answer


class Conversation(OpenIDConnectOAuth2Adapter):
    """What is said to the provider, and what of its answers is believed."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request, settings.OIDC_ISSUER)

    def get_provider(self) -> Provider:
        """The provider of the settings."""
        return Provider(self.request, app=app())

    def get_callback_url(self, request: HttpRequest, _: SocialApp) -> str:
        """Where the provider sends a person back to."""
        return request.build_absolute_uri(reverse("oidc-callback"))

    @property
    def openid_config(self) -> dict[str, Any]:
        """What the provider says about itself; its addresses are as safe as its own."""
        known: dict[str, Any] = super().openid_config
        if str(known["issuer"]).rstrip("/") != settings.OIDC_ISSUER:
            raise SignInFailed("answer", f"OIDC_ISSUER is {settings.OIDC_ISSUER}, but it says {known['issuer']}.")
        scheme = urlsplit(settings.OIDC_ISSUER).scheme
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
            if name in known and urlsplit(known[name]).scheme not in ("https", scheme):
                raise SignInFailed("answer", f"{name} is {known[name]}, which is not https.")
        return known

    def claims(self, code: str, state: dict[str, Any]) -> dict[str, Any]:
        """Return what the provider says about whoever came back with `code`. Raises SignInFailed."""
        with trusting():
            client = self.get_client(self.request, app())
            given = client.get_access_token(code, pkce_code_verifier=state["pkce_code_verifier"])
            claims = self._of_token(given["id_token"], state["nonce"])
            if "userinfo_endpoint" not in self.openid_config:
                return claims
            more = self._fetch_user_info(given["access_token"])
            if more["sub"] != claims["sub"]:
                raise SignInFailed("answer", "The token and the user info are about different people.")
            return {**claims, **more}

    def _of_token(self, token: str, nonce: str) -> dict[str, Any]:
        named = jwt.get_unverified_header(token).get("kid")
        keys = jwt.PyJWKSet.from_dict(self._keys()).keys
        fitting = [key for key in keys if key.key_id == named] or (keys if named is None and len(keys) == 1 else [])
        if not fitting:
            raise SignInFailed("answer", "The token is signed with a key that the provider does not publish.")
        issuer, audience = self.openid_config["issuer"], settings.OIDC_CLIENT_ID
        claims: dict[str, Any] = jwt.decode(
            token, fitting[0], ALGORITHMS, {"require": REQUIRED}, issuer=issuer, audience=audience, leeway=LEEWAY
        )
        if claims.get("azp", audience) != audience:
            raise SignInFailed("answer", "The token was made for another client.")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise SignInFailed("answer", "The token was made for another sign-in: its nonce is not ours.")
        return claims

    def _keys(self) -> dict[str, Any]:
        with get_adapter().get_requests_session() as session:
            answer = session.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
            keys: dict[str, Any] = answer.json()
        return keys


@contextmanager
def trusting() -> Iterator[None]:
    """Turn whatever goes wrong in the conversation into SignInFailed."""
    try:
        yield
    except (requests.ConnectionError, requests.Timeout) as error:
        raise SignInFailed("away", str(error)) from error
    except requests.HTTPError as error:
        is_away = error.response is not None and error.response.status_code >= 500
        raise SignInFailed("away" if is_away else "answer", str(error)) from error
    except UNREADABLE as error:
        raise SignInFailed("answer", f"{type(error).__name__}: {error}") from error
