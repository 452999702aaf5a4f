"""Signing in."""

from __future__ import annotations

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache


class SignIn(LoginView):
    """The sign-in page; after too many wrong passwords it says how long to wait."""

    template_name = "config/sign_in.html"
    redirect_authenticated_user = True


@never_cache
def locked_out(request: HttpRequest, *_: object, **__: object) -> HttpResponse:
    """The answer to somebody who has tried too many wrong passwords (called by axes)."""
    return render(request, "config/locked_out.html", status=429)
