"""`manage.py freezes`: the windows of freezes, as they really fall."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from config.errors import Fault, InvalidInput
from processes.management.command import BlueprintCommand
from releases.management.named import moment_named, utc
from releases.models import FreezeWindow
from releases.reading.freezes import ScopeView, visible_freezes

AHEAD = timedelta(days=90)


class Command(BlueprintCommand):
    help = "Lists the windows of freezes that apply between two moments, with their scope."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--after", metavar="MOMENT", help="from when on (default: now)")
        parser.add_argument("--before", metavar="MOMENT", help=f"until when (default: {AHEAD.days} days later)")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints a line per window, the earliest first. Raises InvalidInput."""
        now = timezone.now()
        after = moment_named(options["after"], "after") if options["after"] else now
        before = moment_named(options["before"], "before") if options["before"] else after + AHEAD
        if before <= after:
            raise InvalidInput([Fault("before", "This is not after the beginning.")])
        windows = _between(actor, after, before)
        view = ScopeView(actor, [window.freeze.body["scope"] for window in windows])
        for window in windows:
            self.stdout.write(_line(window, view, now))
        if not windows:
            self.stdout.write("No freeze applies then.")


def _between(actor: User | None, after: datetime, before: datetime) -> list[FreezeWindow]:
    lasting = Q(ends_at=None) | Q(ends_at__gt=after)
    found = FreezeWindow.objects.filter(lasting, starts_at__lt=before, freeze__in=visible_freezes(actor))
    return list(found.select_related("freeze").order_by("starts_at", "freeze__slug"))


def _line(window: FreezeWindow, view: ScopeView, now: datetime) -> str:
    freeze = window.freeze
    until = f"until {utc(window.ends_at)}" if window.ends_at else "until it is lifted"
    scope = view.shown(freeze.body["scope"])
    names = "; ".join(key if value is True else f"{key}: {', '.join(value)}" for key, value in scope.items())
    flight = freeze.body.get("in_flight", "drain")
    is_open = window.starts_at <= now and (window.ends_at is None or window.ends_at > now)
    mark = "open now" if is_open else f"lifted by {window.lifted_by_name}" if window.lifted_at else "planned"
    if window.ends_at is not None and window.ends_at <= now and not window.lifted_at:
        mark = "over"
    return f"{freeze.slug}: from {utc(window.starts_at)} {until} ({mark}, {flight}) {freeze.name} [{names}]"
