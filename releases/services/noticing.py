"""Telling people, each once, what waits for them, is on hold or overdue, who mentioned them, and of exceptions.

1. A manual activity that opens, and one that goes on hold, sets `tell_at`; the tick sends a message about it.
2. Whoever gets the message works out who is asked something (as their inbox would) and makes their notices; one that
   exists already stays as it is, so a doubled message tells nobody twice.
3. `tell_at` then becomes the next moment at which something in it is due: who is still asked then is told again.
4. Who may grant an exception from a freeze is told as it is asked for, and who asked for it as it is decided.
5. A notice with `mail_at` is mailed (`notifications.mail_notices`), unless its reader does not want mails of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from config import hints
from config.models import Preference
from config.permissions import allowed
from releases import inbox, policy
from releases.models import ActivityRun, Comment, FreezeException, Notice

MOST_MENTIONED = 20
_MENTION = re.compile(r"(?<![\w.@+-])@([\w.@+-]{1,150})")


def tell_waiting(run_id: int, *, now: datetime) -> int:
    """Tell everybody whom an activity waits for; return how many there are. Harmless at any time."""
    run = inbox.asking(run_id)
    if run is None:
        ActivityRun.objects.filter(pk=run_id).exclude(state__in=inbox.ASKING).update(tell_at=None)
        return 0
    asked = inbox.people_asked(run)
    kind = "held" if run.state == "on_hold" else "asked"
    make_notices(run, [user for user, _ in asked], kind=kind, key=f"{kind}:{run.pk}:{run.attempt}", now=now)
    late: dict[datetime, list[User]] = {}
    for user, due_at in asked:
        if due_at is not None and due_at <= now:
            late.setdefault(due_at, []).append(user)
    for due_at, users in late.items():
        key = f"overdue:{run.pk}:{run.attempt}:{due_at:%Y%m%d%H%M}"
        make_notices(run, users, kind="overdue", key=key, now=now)
    later = min((due_at for due_at in inbox.due_moments(run) if due_at > now), default=None)
    same = ActivityRun.objects.filter(pk=run_id, state=run.state, attempt=run.attempt, tell_at=run.tell_at)
    same.update(tell_at=later)
    return len(asked)


def tell_mentioned(comment: Comment, *, now: datetime) -> None:
    """Tell the people whom a comment names with an @ before their user name, of those who may see its release."""
    run = comment.activity_run
    found = [name for text in _MENTION.findall(comment.body) for name in {text, text.rstrip(".+-@")}]
    people = User.objects.filter(username__in=found[: 2 * MOST_MENTIONED], is_active=True)
    others = [user for user in people if user.pk != comment.author_id]
    seeing = [user for user in others if policy.visible_releases(user).filter(pk=run.release_id).exists()]
    make_notices(run, seeing, kind="mentioned", key=f"mentioned:{comment.pk}", now=now, actor_name=comment.author_name)


def tell_granters(asked: FreezeException, *, now: datetime) -> None:
    """Tell those who may grant an exception, but for whoever asks for it, that it waits for them."""
    granters = policy.granters().exclude(pk=asked.asked_by_id or 0)
    make_notices(
        asked, granters, kind="exception", key=f"exception:{asked.pk}", now=now, actor_name=asked.asked_by_name
    )


def tell_asker(decided: FreezeException, *, by: str, now: datetime) -> None:
    """Tell whoever asked for an exception how it stands now."""
    asker = User.objects.filter(pk=decided.asked_by_id or 0, is_active=True)
    make_notices(decided, asker, kind="decided", key=f"decided:{decided.pk}:{decided.state}", now=now, actor_name=by)


def make_notices(
    about: ActivityRun | FreezeException,
    users: Iterable[User],
    *,
    kind: str,
    key: str,
    now: datetime,
    actor_name: str = "",
) -> None:
    """Tell people something about an activity or an exception, those who were not told it yet. At most two queries."""
    told = list(users)
    if told:
        hints.changed(about.release_id)
    unmailed = set(
        Preference.objects.filter(user__in=told, unmailed__contains=[kind]).values_list("user_id", flat=True)
    )
    notices = [
        Notice(
            user=user,
            kind=kind,
            key=key,
            activity_run=about if isinstance(about, ActivityRun) else None,
            freeze_exception=about if isinstance(about, FreezeException) else None,
            actor_name=actor_name,
            at=now,
            mail_at=now if user.email and user.pk not in unmailed else None,
        )
        for user in told
    ]
    Notice.objects.bulk_create(notices, ignore_conflicts=True)


def notices_of(user: User) -> QuerySet[Notice]:
    """Return what `user` was told about releases and exceptions they may still see, the newest first, as lines show."""
    visible = policy.visible_releases(user)
    exceptions = Q(freeze_exception__isnull=False)
    if not allowed(user, policy.GRANT):
        exceptions = Q(freeze_exception__asked_by=user)
    return (
        Notice.objects.filter(Q(activity_run__release__in=visible) | exceptions, user=user)
        .select_related("activity_run__release", "activity_run__phase")
        .select_related("freeze_exception__freeze", "freeze_exception__release", "freeze_exception__group")
        .order_by("-id")
    )


def read_notices(user: User, *, now: datetime, only: QuerySet[Notice] | None = None) -> int:
    """Mark `only` these of a person's notices as read, or all of them; return how many were new."""
    mine = (Notice.objects.all() if only is None else only).filter(user=user, read_at=None)
    return mine.update(read_at=now)
