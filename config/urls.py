"""Every address of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from config import api, personal
from config.oidc import views as oidc

admin.autodiscover()

settings_pages = (
    [
        path("", personal.settings, name="settings"),
        path("sign-in/", personal.sign_in, name="sign-in"),
        path("sign-in/<int:pk>/unlink/", personal.unlink, name="unlink"),
        path("tokens/", personal.tokens, name="tokens"),
        path("tokens/<int:pk>/revoke/", personal.revoke, name="revoke-token"),
    ],
    "settings",
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("api/", include(api.urlpatterns)),
    path("settings/", include(settings_pages)),
    path("calendar/", include("calendar_app.urls")),
    path("sign-in/provider/", oidc.start, name="oidc-start"),
    path("sign-in/provider/callback/", oidc.callback, name="oidc-callback"),
    path("", include("releases.urls")),
    path("", include("processes.urls")),
]

handler400 = "config.rest.pages.refused"
handler403 = "config.rest.pages.forbidden"
handler404 = "config.rest.pages.not_found"
handler500 = "config.rest.pages.failed"
