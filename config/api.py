"""Every address of the REST API, put together: `/api/v1/`, its schema and its documentation."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from activities.api import routes as activity_routes
from calendar_app.api import routes as calendar_routes
from config.rest.preferences import Preferences
from config.rest.tokens import Tokens
from config.rest.views import Router
from processes.api import routes as process_routes
from releases.api import routes as release_routes

router = Router()
router.register("tokens", Tokens, basename="token")
router.single("preferences", Preferences)
for register in (activity_routes, process_routes, release_routes, calendar_routes):
    register(router)

_docs = SpectacularSwaggerSplitView.as_view(url_name="api:schema", template_name="api/docs.html")

_version_1: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", _docs, name="docs"),
    *router.urls,
]

urlpatterns = [path("v1/", include((_version_1, "api")))]
