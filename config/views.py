"""Signing in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from config.oidc.failures import sentence


class SignIn(LoginView):
    """The sign-in page; after too many wrong passwords it says how long to wait."""

    template_name = "config/sign_in.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Adds the provider's name, if there is one, and why it has just not signed somebody in."""
        name = settings.OIDC_NAME if settings.OIDC_ISSUER else ""
        failure = sentence(self.request.GET.get("failed", ""), name) if name else ""
        return super().get_context_data(**kwargs, provider=name, failure=failure)


@never_cache
def locked_out(request: HttpRequest, *_: object, **__: object) -> HttpResponse:
    """The answer to somebody who has tried too many wrong passwords (called by axes)."""
    return render(request, "config/locked_out.html", status=429)
