"""Activities that come with Pilothouse: what there is for each provider, and adding it to the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from activities.models import Connection
from config.errors import Conflict, Fault, InvalidInput
from config.pages import once, page, person
from config.permissions import allowed
from processes import services
from processes.outline import Declared, declared_in
from processes.ready_made import Shipped, shipped
from processes.services import Added, Standing

ADDING = ("activities.add_activity", "activities.publish_activity")


@dataclass(frozen=True, slots=True)
class Activity:
    """One activity on its provider's card."""

    standing: Standing
    id: str
    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...]


@dataclass(slots=True)
class Card:
    """One provider: what comes for it and the connections to choose from."""

    ships: Shipped
    activities: list[Activity]
    connections: list[Connection]
    chosen: str = ""
    prefix: str = ""
    faults: Sequence[Fault] = ()

    @property
    def missing(self) -> int:
        """How many of them adding would change."""
        return sum(one.standing.state in ("absent", "outdated") for one in self.activities)

    @property
    def changed(self) -> int:
        """How many of them would be left alone."""
        return sum(one.standing.state == "changed" for one in self.activities)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def ready_made(request: HttpRequest) -> HttpResponse:
    """Show what comes for each provider (`provider` as with `connection` and `prefix`); posted to, add it."""
    services.require_look(request.user)
    if request.method != "POST":
        return _show(request, request.GET.get("provider", ""))
    try:
        return redirect(once(request, lambda: _add(request)))
    except (InvalidInput, Conflict) as error:
        faults = getattr(error, "faults", (Fault("", error.message),))
        return _show(request, request.POST.get("provider", ""), faults, status=error.status)


def _add(request: HttpRequest) -> str:
    asked = {name: request.POST.get(name, "").replace("\0", "") for name in ("provider", "connection", "prefix")}
    replace = request.POST.get("replace") == "yes"
    done = services.add_ready_made(person(request), now=timezone.now(), replace=replace, **asked)
    _tell(request, shipped()[asked["provider"]].title, done)
    return f"{reverse('ready-made')}?{urlencode(asked)}#{asked['provider']}"


def _tell(request: HttpRequest, title: str, done: Sequence[Added]) -> None:
    fresh = [one for one in done if one.result in ("created", "changed")]
    if fresh:
        messages.success(request, f"{title}: {len(fresh)} activit{'y' if len(fresh) == 1 else 'ies'} added.")
    left: dict[str, list[str]] = {}
    for one in done:
        if one.result == "left":
            left.setdefault(one.why, []).append(one.id)
    for why, names in left.items():
        messages.warning(request, f"Left alone: {', '.join(names)}. {why}")
    if not fresh and not left:
        messages.success(request, f"{title}: everything was in the store already.")


def _show(request: HttpRequest, provider: str, faults: Sequence[Fault] = (), status: int = 200) -> HttpResponse:
    user = person(request)
    found, connections = services.standings(user), services.connections_for(user)
    cards = [_card(ships, found[name], connections.get(name, [])) for name, ships in shipped().items()]
    card = next((one for one in cards if one.ships.provider == provider), None)
    if card is not None:
        asked = request.POST if request.method == "POST" else request.GET
        _choose(request, card, asked.get("connection", ""), asked.get("prefix", "")[:40])
        card.faults = faults
    context: dict[str, Any] = {
        "cards": cards,
        "faults": faults if card is None else (),
        "may_add": all(allowed(user, permission) for permission in ADDING),
        "may_connect": user.is_staff and allowed(user, "activities.add_connection"),
    }
    return render(request, "processes/store/ready_made.html", context, status=status)


def _card(ships: Shipped, found: Sequence[Standing], connections: list[Connection]) -> Card:
    slugs = [one.slug for one in connections]
    chosen = ships.connection if ships.connection in slugs else slugs[0] if slugs else ""
    return Card(ships, [_activity(one) for one in found], connections, chosen)


def _choose(request: HttpRequest, card: Card, connection: str, prefix: str) -> None:
    """Shows the card for a connection and prefix that somebody has chosen."""
    card.prefix = prefix
    if connection in [one.slug for one in card.connections]:
        card.chosen = connection
        found = services.standings_of(person(request), card.ships, connection=connection, prefix=prefix)
        card.activities = [_activity(one) for one in found]


def _activity(standing: Standing) -> Activity:
    document = standing.document
    inputs, outputs = declared_in(document.get("inputs", {})), declared_in(document.get("outputs", {}))
    return Activity(standing, str(document["id"]), inputs, outputs)
