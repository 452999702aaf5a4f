"""The addresses of the library."""

from __future__ import annotations

from django.urls import include, path

from processes.views import processes, ready_made, store

process_pages = (
    [
        path("processes/", processes.show_list, name="list"),
        path("processes/<slug:slug>/", processes.show, name="show"),
        path("processes/<slug:slug>/revisions/", processes.revisions, name="revisions"),
        path("processes/<slug:slug>/changes/", processes.changes, name="changes"),
        path("processes/<slug:slug>/input-sets/", processes.input_sets, name="input-sets"),
        path("processes/<slug:slug>/used-by/", processes.used_by, name="used-by"),
        path("processes/<slug:slug>/export/", processes.export, name="export"),
    ],
    "processes",
)

store_pages = (
    [
        path("store/", store.show_list, name="list"),
        path("store/<slug:slug>/", store.show, name="show"),
        path("store/<slug:slug>/revisions/", store.revisions, name="revisions"),
        path("store/<slug:slug>/changes/", store.changes, name="changes"),
        path("store/<slug:slug>/used-by/", store.used_by, name="used-by"),
        path("store/<slug:slug>/export/", store.export, name="export"),
    ],
    "store",
)

urlpatterns = [
    path("", include(process_pages)),
    path("", include(store_pages)),
    path("ready-made/", ready_made.ready_made, name="ready-made"),
]
