"""What people are told by e-mail, without having asked for it: that something new stands in the way of their release.

A mail that cannot be sent is written to the log and hurts nothing; what would have been told stands on the release's
page. While the mail server cannot be reached at all, every look at the release tries again (see `services.checking`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Q
from django.urls import reverse

from releases import assignees
from releases.models import Release
from releases.services.checking import note_told
from releases.trees import trees_of

log = logging.getLogger(__name__)


def announce(release_id: int, until: datetime) -> int:
    """Tell the owners of a release what stops it, or that nothing does any more. Return how many mails were sent.

    Reads what was stored by the look that gave the caller `until` then to tell it; nothing is sent once another look
    has found something else. Owners are those of its phases and of its group, and its maker.
    """
    waiting = Release.objects.filter(pk=release_id, telling_until=until, started_at=None)
    release = waiting.select_related("process", "group", "created_by").first()
    if release is None:
        return 0
    subject, body = words_of(release)
    sent = _send([EmailMessage(subject, body, to=[person.email]) for person in owners_of(release)])
    if sent is not None:
        note_told(release_id, until)
    return sent or 0


def _send(mails: Sequence[EmailMessage]) -> int | None:
    """Return how many mails were sent; None if the server could not be reached."""
    if not mails:
        return 0
    server, sent = get_connection(), None
    try:
        server.open()
        sent = sum(_send_one(server, mail) for mail in mails)
        server.close()
    except (SMTPException, OSError):
        log.exception("The mail server could not be reached; it was to send: %s", mails[0].subject)
    return sent


def _send_one(server: BaseEmailBackend, mail: EmailMessage) -> int:
    try:
        return server.send_messages([mail])
    except (SMTPException, OSError):
        log.exception("A mail could not be sent: %s", mail.subject)
        return 0


def owners_of(release: Release) -> list[User]:
    """Return the active people with an address who own phases or the group of a release, and who made it."""
    (tree,) = trees_of([release])
    nodes = tree["nodes"] if tree is not None else []
    names = {name for node in nodes if node["kind"] == "phase" for name in node["owners"] if "${{" not in name}
    if release.group is not None:
        names |= set(release.group.body.get("owners") or ())
    wanted = Q(pk__in=assignees.people(release.pk, names).values("pk")) | Q(pk=release.created_by_id)
    return list(User.objects.filter(wanted, is_active=True).exclude(email="").order_by("username"))


def words_of(release: Release) -> tuple[str, str]:
    """Return the subject and the text of the mail about a release."""
    stops = [finding for finding in release.findings if finding["stops"]]
    start = release.planned_start_at
    when = f" on {start:%A %d %B %Y at %H:%M} UTC" if start is not None else ""
    if not stops:
        subject = f"{release}: nothing stops it any more"
        lines = [f"Nothing stands in the way of {release} any more. It is planned to start{when}."]
    else:
        count = "1 thing stops it" if len(stops) == 1 else f"{len(stops)} things stop it"
        subject = f"{release}: {count}"
        lines = [f"{release} is planned to start{when}, and as things stand it cannot:", "", *_listed(stops)]
    link = settings.PILOTHOUSE_URL.rstrip("/") + reverse("releases:show", args=[release.pk])
    about = "You get this because you own a part of it, or made it."
    return " ".join(subject.split()), "\n".join([*lines, "", link, "", about, ""])


def _listed(stops: Iterable[dict[str, Any]]) -> list[str]:
    return [f"- {one['message']} {one['cure']}".rstrip() for one in stops]
