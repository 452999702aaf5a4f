"""The addresses of the pages."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import include, path

from config.views import SignIn
from releases import webhooks
from releases.views import (
    acting,
    activity,
    audit,
    bulk,
    cadence,
    carried,
    files,
    freeze,
    freezes,
    groups,
    home,
    listing,
    live,
    moving,
    notices,
    planning,
    release,
    roles,
    runbook,
    saved,
    starting,
    watching,
)

releases = (
    [
        path("", home.show, name="home"),
        path("home/waiting/", home.count, name="waiting"),
        path("home/do/", bulk.act_on_waiting, name="act-on-waiting"),
        path("releases/", listing.show_list, name="list"),
        path("releases/do/", bulk.act_on_releases, name="act-on-several"),
        path("releases/views/", saved.save, name="save-view"),
        path("releases/views/<int:pk>/rename/", saved.rename, name="rename-view"),
        path("releases/views/<int:pk>/delete/", saved.delete, name="delete-view"),
        path("releases/new/", planning.create, name="create"),
        path("releases/<int:pk>/", release.show, name="show"),
        path("releases/<int:pk>/start/", starting.start, name="start"),
        path("releases/<int:pk>/start/exception/", starting.ask_exception, name="ask-exception"),
        path("releases/<int:pk>/move/", moving.move, name="move"),
        path("releases/<int:pk>/roles/", roles.fill, name="roles"),
        path("releases/<int:pk>/values/", release.values, name="values"),
        path("releases/<int:pk>/outputs/", release.outputs, name="outputs"),
        path("releases/<int:pk>/changes/", carried.changes, name="changes"),
        path("releases/<int:pk>/events/", release.events, name="events"),
        path("releases/<int:pk>/timeline/", watching.timeline, name="timeline"),
        path("releases/<int:pk>/wall/", watching.wall, name="wall"),
        path("releases/<int:pk>/runbook/", runbook.runbook, name="runbook"),
        path("releases/<int:pk>/do/<slug:verb>/", release.act, name="act"),
        path("releases/<int:pk>/phases/<int:phase_pk>/restart/", release.restart_phase, name="restart-phase"),
        path("releases/<int:pk>/activities/<int:run_pk>/", activity.show, name="activity"),
        path("releases/<int:pk>/activities/<int:run_pk>/do/<slug:verb>/", acting.act, name="act-on-activity"),
        path("releases/<int:pk>/activities/<int:run_pk>/logs/<int:number>/", files.log, name="log"),
        path("releases/<int:pk>/activities/<int:run_pk>/evidence/<int:evidence_pk>/", files.evidence, name="evidence"),
    ],
    "releases",
)

group_pages = (
    [
        path("groups/", groups.show_list, name="list"),
        path("groups/<slug:slug>/", groups.show, name="show"),
        path("groups/<slug:slug>/cadence/", cadence.edit, name="cadence"),
        path("groups/<slug:slug>/cadence/preview/", cadence.preview, name="cadence-preview"),
        path("groups/<slug:slug>/skip/", groups.skip, name="skip"),
    ],
    "groups",
)

freeze_pages = (
    [
        path("freezes/", freeze.show_list, name="list"),
        path("stop-the-line/", freezes.stop, name="stop"),
        path("freezes/<slug:slug>/", freeze.show, name="show"),
        path("freezes/<slug:slug>/exceptions/", freeze.ask, name="ask"),
        path("freezes/<slug:slug>/exceptions/<int:pk>/<slug:verb>/", freeze.decide, name="decide"),
        path("freezes/<slug:slug>/lift/", freezes.lift, name="lift"),
    ],
    "freezes",
)

notice_pages = (
    [
        path("notices/", notices.show_list, name="list"),
        path("notices/read/", notices.read_all, name="read-all"),
        path("notices/<int:pk>/", notices.follow, name="follow"),
    ],
    "notices",
)

where_pages = (
    [
        path("environments/", carried.where, name="list"),
        path("environments/history/", carried.history, name="history"),
        path("environments/search/", carried.search, name="search"),
    ],
    "where",
)

audit_pages = (
    [
        path("audit/", audit.show, name="search"),
        path("audit/events.csv", audit.export, {"kind": "csv"}, name="csv"),
        path("audit/events.json", audit.export, {"kind": "json"}, name="json"),
    ],
    "audit",
)

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("live/", live.topics, name="live"),
    path("hooks/<slug:slug>/", webhooks.called, name="hook"),
    path("", include(releases)),
    path("", include(group_pages)),
    path("", include(freeze_pages)),
    path("", include(notice_pages)),
    path("", include(where_pages)),
    path("", include(audit_pages)),
]
