"""The admin's navigation: what this person may see, grouped as people think of it."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

#: Group: entries as (words, model, icon).
GROUPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Blueprint": (
        ("Processes", "processes.process", "account_tree"),
        ("Activity store", "activities.activity", "inventory_2"),
        ("Input sets", "processes.inputset", "tune"),
        ("Connections", "activities.connection", "cable"),
        ("Secrets", "activities.secret", "key"),
        ("Resources", "processes.resource", "dns"),
    ),
    "Releases": (
        ("Releases", "releases.release", "rocket_launch"),
        ("Release groups", "releases.releasegroup", "event_repeat"),
        ("Holiday calendars", "releases.holidaycalendar", "beach_access"),
        ("Calendar feeds", "releases.feed", "rss_feed"),
        ("Freezes", "releases.freeze", "ac_unit"),
        ("Freeze exceptions", "releases.freezeexception", "gavel"),
        ("Broken glass", "releases.breakglass", "e911_emergency"),
        ("Phase runs", "releases.phaserun", "stacks"),
        ("Activity runs", "releases.activityrun", "play_circle"),
        ("Attempts", "releases.attempt", "replay"),
        ("Sign-offs", "releases.signoff", "approval"),
        ("Artifacts", "releases.artifact", "package_2"),
        ("Commits and tickets", "releases.change", "commit"),
    ),
    "People": (
        ("People", "auth.user", "person"),
        ("Groups", "auth.group", "group"),
        ("Your API tokens", "config.apitoken", "vpn_key"),
        ("Failed sign-ins", "axes.accessattempt", "gpp_bad"),
    ),
    "Trail": (("Events", "config.event", "history"),),
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups with the lists this person may open; a group without any is left out."""
    groups = [
        {
            "title": title,
            "separator": bool(at),
            "items": [_item(*entry) for entry in entries if _is_open(request, entry)],
        }
        for at, (title, entries) in enumerate(GROUPS.items())
    ]
    return [group for group in groups if group["items"]]


def _is_open(request: HttpRequest, entry: tuple[str, str, str]) -> bool:
    shown = admin.site._registry.get(apps.get_model(entry[1]))  # noqa: SLF001  Django has no other way to ask
    return shown is not None and shown.has_view_permission(request)


def _item(title: str, name: str, icon: str) -> dict[str, Any]:
    address = reverse(f"admin:{name.replace('.', '_')}_changelist")
    return {"title": title, "icon": icon, "link": address}
