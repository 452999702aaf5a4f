"""What people are told by e-mail, without having asked for it: that something new stands in the way of their release.

A mail server that cannot be reached is written to the log and hurts nothing; what would have been told stands on the
release's page.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db.models import Q
from django.urls import reverse

from releases import assignees
from releases.models import Release
from releases.trees import trees_of

log = logging.getLogger(__name__)


def announce(release_id: int) -> int:
    """Tell the owners of a release what stops it, or that nothing does any more. Return how many mails were sent.

    Reads what was stored when somebody last looked. Owners are those of its phases and of its group, and its maker.
    """
    found = Release.objects.select_related("process", "group", "created_by").filter(pk=release_id, started_at=None)
    release = found.first()
    if release is None:
        return 0
    subject, body = words_of(release)
    return sum(_send(EmailMessage(subject, body, to=[person.email])) for person in owners_of(release))


def _send(mail: EmailMessage) -> int:
    try:
        return mail.send()
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
