"""People are told, each once, what waits for them: on the pages, and by mail unless they do not want it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.preferences import save_preference
from releases import notifications
from releases.execution import tick as ticking
from releases.models import ActivityRun, Notice
from releases.services import answering, noticing, running
from tests.builders import MONDAY, run_of, start, work
from tests.crowd import member
from tests.fakes import failed

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FAR = datetime(2190, 1, 1, tzinfo=UTC)  # what workers do is done by the clock on the wall

#   prepare (owned by qa)    ship (owned by devops), at the same time
#   [check: automated]       [approve: by security]   [tidy: task for qa]
SHOP = """
id: shop
phases:
  - id: prepare
    owners: ["group:qa"]
    activities:
      - {id: check, automated: {connection: scripted, pipeline: check}}
  - id: ship
    owners: ["group:devops"]
    activities:
      - {id: approve, name: Approve, manual: {approval: {rules: [{group: security, count: 1}]}}}
      - {id: tidy, name: Tidy, manual: {tasks: [{id: sweep, name: Sweep, groups: ["group:qa"], due: "2h"}]}}
"""


HOLD = SHOP.partition("  - id: ship")[0]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Do what the tick and the workers do about notices at a moment; return who was told what."""
    messages: list[tuple[Any, Any]] = []
    monkeypatch.setattr(
        "releases.queue.send_tellings", lambda ids: messages.extend((noticing.tell_waiting, i) for i in ids)
    )
    monkeypatch.setattr(
        "releases.queue.send_mails", lambda ids: messages.extend((notifications.mail_notices, i) for i in ids)
    )

    def at(now: Any, *, times: int = 2) -> list[tuple[str, str]]:
        for _ in range(times):
            ticking.tick(now=now)
            while messages:
                verb, row_id = messages.pop()
                verb(row_id, now=now)
        return sorted(Notice.objects.values_list("user__username", "kind"))

    return at


def test_those_whom_something_waits_for_are_told_once_and_mailed(groups, owner, stranger, told, mailoutbox, engine):
    boss = member("boss", "security")
    boss.email = "boss@example.com"
    boss.save()
    release = start(SHOP)
    assert told(MONDAY - HOUR) == []
    assert told(MONDAY) == [("boss", "asked"), ("owner", "asked")]
    assert told(MONDAY, times=3) == [("boss", "asked"), ("owner", "asked")]
    assert sorted((mail.to[0], mail.subject) for mail in mailoutbox) == [
        ("boss@example.com", "Approve waits for you: Release 1.2.3"),
        ("owner@example.com", "Tidy waits for you: Release 1.2.3"),
    ]
    run = run_of(release, "ship/approve")
    assert f"/releases/{release.pk}/activities/{run.pk}/" in str(next(m.body for m in mailoutbox if "boss" in m.to[0]))


def test_owners_are_told_of_a_failure_that_waits_for_them(groups, owner, stranger, told, engine):
    engine.script["check"] = [failed()]
    work(start(HOLD))
    assert told(FAR) == [("owner", "held")]


def test_a_failure_again_is_told_again(groups, owner, told, engine):
    engine.script["check"] = [failed(), failed()]
    release = start(HOLD)
    work(release)
    assert told(FAR) == [("owner", "held")]
    running.retry_activity(owner, run_of(release, "prepare/check"), now=MONDAY + HOUR)
    work(release)
    assert told(FAR) == [("owner", "held")] * 2


def test_what_is_due_is_told_when_it_is_over_and_only_to_those_still_asked(groups, owner, told, engine):
    start(SHOP)
    told(MONDAY)
    assert told(MONDAY + 2 * HOUR - timedelta(seconds=1)) == [("owner", "asked")]
    assert told(MONDAY + 2 * HOUR) == [("owner", "asked"), ("owner", "overdue")]
    assert told(MONDAY + 5 * HOUR) == [("owner", "asked"), ("owner", "overdue")]
    assert not ActivityRun.objects.filter(tell_at__isnull=False).exists()


def test_nobody_is_told_what_was_done_before(groups, owner, told, engine):
    release = start(SHOP)
    answering.set_task(owner, run_of(release, "ship/tidy"), "sweep", done=True, now=MONDAY)
    assert told(MONDAY) == []
    assert not ActivityRun.objects.filter(tell_at__isnull=False).exists()


def test_a_message_that_is_lost_is_sent_again(groups, owner, told, engine, monkeypatch):
    start(SHOP)
    with monkeypatch.context() as lost:
        lost.setattr("releases.queue.send_tellings", lambda ids: None)
        ticking.tick(now=MONDAY)
    assert told(MONDAY + ticking.AGAIN / 2) == []
    assert told(MONDAY + ticking.AGAIN) == [("owner", "asked")]


def test_somebody_who_does_not_want_mails_reads_it_on_the_pages(groups, owner, told, mailoutbox, engine):
    save_preference(owner, {"unmailed": ["asked"]}, now=MONDAY)
    start(SHOP)
    assert told(MONDAY) == [("owner", "asked")]
    assert not mailoutbox


def test_mails_wait_for_a_mail_server_that_is_away_and_are_given_up_after_a_day(
    groups, owner, told, mailoutbox, engine, settings
):
    start(SHOP)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    told(MONDAY)
    assert Notice.objects.filter(mail_at=MONDAY + notifications.AGAIN).count() == 1
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    told(MONDAY + notifications.AGAIN)
    assert [mail.to for mail in mailoutbox] == [["owner@example.com"]]
    Notice.objects.update(mail_at=MONDAY)
    told(MONDAY + 2 * DAY)
    assert [mail.subject.partition(":")[0] for mail in mailoutbox] == ["Tidy waits for you", "Tidy is overdue"]
    assert not Notice.objects.filter(mail_at__isnull=False).exists()


def test_what_was_read_before_the_mail_went_out_is_not_mailed(groups, owner, told, mailoutbox, engine):
    start(SHOP)
    told(MONDAY, times=1)
    assert noticing.read_notices(owner, now=MONDAY) == 1
    told(MONDAY)
    assert not mailoutbox


def test_those_mentioned_in_a_comment_are_told_if_they_may_see_it(groups, owner, manager, stranger, told, engine):
    release = start(SHOP)
    run = run_of(release, "prepare/check")
    body = "@owner, please look. @stranger @nobody mail@manager @manager."
    answering.add_comment(manager, run, body, now=MONDAY)
    assert [(n.user.username, str(n)) for n in Notice.objects.all()] == [("owner", "manager mentioned you in Check")]


def test_nobody_is_mailed_twice_while_a_slow_mail_server_takes_the_mail(
    groups, owner, told, mailoutbox, engine, monkeypatch
):
    start(SHOP)
    send = notifications._send

    def slowly(mails):
        assert notifications.mail_notices(owner.pk, now=MONDAY + timedelta(seconds=30)) == 0
        return send(mails)

    monkeypatch.setattr(notifications, "_send", slowly)
    told(MONDAY)
    assert [mail.to for mail in mailoutbox] == [["owner@example.com"]]
