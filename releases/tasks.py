"""What workers do, each in three lines: the work itself is in `releases/execution`."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from releases import bookings, notifications
from releases.execution import attempts, holding
from releases.execution import tick as ticking
from releases.services import checking, housekeeping, noticing, trains, windows
from releases.services import due as due_releases


@shared_task
def start(release_id: int, run_id: int, attempt: int) -> None:
    """Start an attempt, and what follows from it."""
    attempts.carry_out(release_id, run_id, attempt)


@shared_task
def start_all(starts: list[tuple[int, int, int]]) -> None:
    """Start attempts of different releases one after the other, and what follows from each."""
    attempts.carry_out_all(starts)


@shared_task
def look(release_id: int, run_id: int, attempt: int) -> None:
    """See how a running attempt stands."""
    attempts.look(release_id, run_id, attempt)


@shared_task
def due(release_id: int, run_id: int) -> None:
    """Do what the moment of a waiting activity brings."""
    attempts.due(release_id, run_id, now=timezone.now())


@shared_task
def cancel(attempt_id: int) -> None:
    """End an attempt whose activity was stopped."""
    attempts.cancel_attempt(attempt_id, now=timezone.now())


@shared_task
def begin(*release_ids: int) -> None:
    """Start scheduled releases, each in a transaction of its own."""
    due_releases.begin_all(release_ids, clock=timezone.now)


@shared_task
def look_at_held(release_id: int) -> None:
    """Look again at what is kept from opening in a release."""
    holding.look_at_held(release_id, now=timezone.now())


@shared_task
def tell(run_id: int) -> None:
    """Tell the people whom an activity waits for."""
    noticing.tell_waiting(run_id, now=timezone.now())


@shared_task
def mail(user_id: int) -> None:
    """Mail a person what they have not been mailed yet."""
    notifications.mail_notices(user_id, now=timezone.now())


@shared_task
def plan_group(group_id: int) -> None:
    """Plan a group's releases ahead."""
    trains.plan_group(group_id, now=timezone.now())


@shared_task
def plan_freeze(freeze_id: int) -> None:
    """Plan a freeze's windows ahead."""
    windows.plan_freeze(freeze_id, now=timezone.now())


@shared_task
def check(release_id: int) -> None:
    """Look at what would stop a release, and tell its owners if that is news to them shortly before its start."""
    until = checking.check_release(release_id, now=timezone.now())
    if until is not None:
        notifications.announce(release_id, until)


@shared_task
def extend_overdue() -> None:
    """Keep booked what releases hold past their planned end."""
    bookings.extend_overdue(now=timezone.now())


@shared_task
def clean_up() -> None:
    """Forget what nobody needs any more."""
    housekeeping.clean_up(now=timezone.now())


@shared_task
def tick() -> None:
    """Send whatever is due."""
    ticking.tick(now=timezone.now())
