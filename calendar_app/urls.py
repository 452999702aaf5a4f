"""The addresses of the calendar."""

from __future__ import annotations

from django.urls import path

from calendar_app import feeds, pages, peeking, slots, views

app_name = "calendar"
urlpatterns = [
    path("", pages.show, name="show"),
    path("slot/", slots.show, name="slot"),
    path("releases/<int:pk>/", peeking.show, name="peek"),
    path("feeds/", views.show_feeds, name="feeds"),
    path("feeds/<int:pk>/revoke/", views.revoke, name="revoke-feed"),
    path("feeds/<str:secret>.ics", feeds.show, name="feed"),
]
