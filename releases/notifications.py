"""What people are told by mail, without having asked for it: that something waits for them, is on hold or overdue, that
somebody mentioned them, asks for an exception or decided theirs, and that something new stands in the way of their
release.

A mail that cannot be sent is written to the log and hurts nothing; what would have been told stands on the release's
page. What the server refuses for good (5xx) is given up. While it cannot be reached, or puts the mail off (4xx), every
look at the release tries again (see `services.checking`), unless another owner has been told.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from smtplib import SMTPNotSupportedError, SMTPRecipientsRefused, SMTPResponseException
from typing import Any, Literal

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from releases import assignees
from releases.models import Notice, Release
from releases.services.checking import note_told
from releases.services.noticing import notices_of
from releases.trees import trees_of

log = logging.getLogger(__name__)

#: How long until a mail that could not be sent is tried again, and until it is given up.
AGAIN, GIVE_UP = timedelta(minutes=5), timedelta(days=1)
REFUSED = 500
MACHINE_MADE = {"Auto-Submitted": "auto-generated"}
"""Keeps notes of absence from being sent back."""


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
    sent, later = _send(_mail(person, subject, body) for person in owners_of(release))
    if sent or not later:
        note_told(release_id, until)
    return sent


def mail_notices(user_id: int, *, now: datetime) -> int:
    """Send one mail about everything a person was told and not mailed yet; return how many notices it holds.

    While the mail server cannot be reached, or puts it off, they are kept and tried again every five minutes for a day;
    what it refuses for good is given up. What somebody else is just mailing lies most of these five minutes ahead, and
    is left to them.
    """
    with transaction.atomic():
        waiting = Notice.objects.filter(user=user_id, mail_at__lt=now + AGAIN / 2)
        locked = waiting.select_for_update(skip_locked=True, no_key=True).order_by("id")
        rows = list(locked.values_list("pk", flat=True))
        Notice.objects.filter(pk__in=rows).update(mail_at=now + AGAIN)
    user = User.objects.filter(pk=user_id, is_active=True).exclude(email="").first()
    notices = list(notices_of(user).filter(pk__in=rows, read_at=None).order_by("id")) if user is not None else []
    fresh = [one for one in notices if now - one.at < GIVE_UP]
    if user is not None and fresh:
        _, later = _send([_mail(user, *words_of_notices(fresh))])
        if later:
            return 0
    Notice.objects.filter(pk__in=rows).update(mail_at=None)
    return len(fresh)


def _mail(person: User, subject: str, body: str) -> EmailMessage:
    return EmailMessage(subject, body, to=[person.email], headers=MACHINE_MADE)


def words_of_notices(notices: Sequence[Notice]) -> tuple[str, str]:
    """Return the subject and the text of a mail about what somebody was told."""
    first, more = notices[0], len(notices) - 1
    subject = f"{first}: {first.about}" + (f", and {more} more" if more else "")
    lines = [line for one in notices for line in (f"{one}", f"{one.about}", *_why(one), _address_of(one), "")]
    about = "Which mails you get is up to you: " + _address("settings:settings")
    return " ".join(subject.split()), "\n".join([*lines, about, ""])


def _why(notice: Notice) -> list[str]:
    """Return the reason that was given with what a notice is about, as a line of its own."""
    exception = notice.freeze_exception
    if exception is None:
        return []
    return [exception.reason if notice.kind == "exception" else exception.decision_reason or exception.void_reason]


def _address_of(notice: Notice) -> str:
    return _whole(notice.get_absolute_url())


def _address(name: str, *args: object) -> str:
    return _whole(reverse(name, args=args))


def _whole(path: str) -> str:
    return str(settings.PILOTHOUSE_URL).rstrip("/") + path


def _send(mails: Iterable[EmailMessage]) -> tuple[int, int]:
    """Return how many mails were sent, and how many are worth another try."""
    server, waiting, sent, later = get_connection(), deque(mails), 0, 0
    try:
        while waiting:
            server.open()
            outcome = _send_one(server, waiting.popleft())
            sent, later = sent + (outcome == "sent"), later + (outcome == "later")
        server.close()
    except OSError:
        about = waiting[0].subject if waiting else "nothing more"
        log.exception("The mail server could not be reached; it was to send: %s", about)
    return sent, later + len(waiting)


def _send_one(server: BaseEmailBackend, mail: EmailMessage) -> Literal["sent", "later", "never"]:
    try:
        server.send_messages([mail])
    except (OSError, ValueError) as error:
        if _is_final(error):
            log.exception("A mail to %s was refused: %s", mail.to, mail.subject)
            return "never"
        log.exception("A mail to %s could not be sent now: %s", mail.to, mail.subject)
        server.close()
        return "later"
    return "sent"


def _is_final(error: Exception) -> bool:
    """Return whether another try would fare no better: the address cannot be written, or the server said so (5xx)."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= REFUSED for code, _ in error.recipients.values())
    if isinstance(error, SMTPResponseException):
        return error.smtp_code >= REFUSED
    return isinstance(error, (ValueError, SMTPNotSupportedError))


def owners_of(release: Release) -> list[User]:
    """Return the active people with an address who own phases or the group of a release, and who made it."""
    (tree,) = trees_of([release])
    nodes = tree["nodes"] if tree is not None else []
    names = {name for node in nodes if node["kind"] == "phase" for name in node["owners"] if "${{" not in name}
    if release.group is not None:
        names |= set(release.group.body.get("owners") or ())
    wanted = Q(pk__in=assignees.people(release.pk, names).values("pk")) | Q(pk=release.created_by_id)
    told = User.objects.filter(wanted, is_active=True).exclude(email="")
    return list(told.exclude(preference__unmailed__contains=["stopped"]).order_by("username"))


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
    link = _address("releases:show", release.pk)
    about = "You get this because you own a part of it, or made it."
    return " ".join(subject.split()), "\n".join([*lines, "", link, "", about, ""])


def _listed(stops: Iterable[dict[str, Any]]) -> list[str]:
    return [f"- {one['message']} {one['cure']}".rstrip() for one in stops]
