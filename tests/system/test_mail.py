"""Mails as they leave: through Django's SMTP backend to a real server (aiosmtpd), which takes, refuses or is away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django.fixtures import Settings

from activities.models import Connection
from releases import notifications, queue
from releases.models import Notice, Release
from releases.services.checking import TELLING, check_release
from releases.services.noticing import tell_waiting
from tests.builders import MONDAY, run_of, start
from tests.crowd import member
from tests.domain.test_notifications import planned, shop, stop
from tests.pure.test_web_client import certificate
from tests.system.installation import free_port, wait_until
from tests.web import worker

pytestmark = [pytest.mark.system, pytest.mark.django_db]
shop = shop
WORK = """
id: sweep
phases:
  - id: tidy
    activities: [{id: tidy, name: Räum auf, manual: {tasks: [{id: sweep, name: Sweep, groups: ["group:qa"]}]}}]
"""


class Post:
    """A mail server: what it was given, and what it says to an address or to a mail."""

    def __init__(self, host: str = "127.0.0.1", **how: Any) -> None:
        self.host, self.port, self._how = host, free_port(), how
        self.taken: list[Envelope] = []
        self.sessions: list[Session] = []
        self.to: dict[str, str] = {}
        self.data = "250 OK"

    def start(self) -> None:
        self._controller = Controller(self, hostname=self.host, port=self.port, **self._how)
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop(no_assert=True)

    async def handle_RCPT(  # noqa: N802
        self, _: SMTP, session: Session, letter: Envelope, address: str, options: list[str]
    ) -> str:
        said = self.to.get(address, "250 OK")
        if said.startswith("250"):
            letter.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, _: SMTP, session: Session, letter: Envelope) -> str:  # noqa: N802
        if self.data.startswith("250"):
            self.taken.append(letter)
            self.sessions.append(session)
        return self.data

    @property
    def mails(self) -> list[EmailMessage]:
        return [
            message_from_bytes(one.content, policy=policy.default)
            for one in self.taken
            if isinstance(one.content, bytes)
        ]


@pytest.fixture
def post(settings: Settings) -> Iterator[Post]:
    """A server at the port of the settings, which a test can stop and start again."""
    post = Post()
    post.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = post.host, post.port, 5
    settings.DEFAULT_FROM_EMAIL, settings.PILOTHOUSE_URL = "Ship <ship@example.org>", "https://ship.example/"
    yield post
    post.stop()


@pytest.fixture
def told(owner: User, engine: Any) -> Release:
    """A release that waits for its owner, who has been told on the pages, and not by mail yet."""
    release = start(WORK)
    assert tell_waiting(run_of(release, "tidy/tidy").pk, now=MONDAY) == 1
    return release


@pytest.fixture
def engine(settings: Settings) -> None:
    settings.PROVIDERS = {"scripted": "tests.fakes.scripted_runner"}


def mail(owner: User, minutes: int = 0) -> int:
    return notifications.mail_notices(owner.pk, now=MONDAY + timedelta(minutes=minutes))


def is_kept(minutes: int) -> bool:
    return Notice.objects.get().mail_at == MONDAY + timedelta(minutes=minutes)


def test_a_notice_arrives_as_a_plain_letter_with_its_links(told: Release, owner: User, post: Post) -> None:
    assert mail(owner) == 1
    (letter,), (found,) = post.taken, post.mails
    assert (letter.mail_from, letter.rcpt_tos) == ("ship@example.org", ["owner@example.com"])
    assert (found["From"], found["To"]) == ("Ship <ship@example.org>", "owner@example.com")
    assert found["Subject"] == "Räum auf waits for you: Release 1.2.3"
    assert (found.get_content_type(), found.get_content_charset(), found.is_multipart()) == (
        "text/plain",
        "utf-8",
        False,
    )
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["Message-ID"]
    assert found["Date"]
    run = run_of(told, "tidy/tidy")
    lines = found.get_content().splitlines()
    assert f"https://ship.example/releases/{told.pk}/activities/{run.pk}/" in lines
    assert "Which mails you get is up to you: https://ship.example/settings/" in lines
    assert mail(owner, 5) == 0
    assert len(post.taken) == 1, "once"


def test_what_is_refused_for_good_is_logged_and_given_up(told: Release, owner: User, post: Post, caplog: Any) -> None:
    post.to["owner@example.com"] = "550 5.1.1 No such person"
    mail(owner)
    assert "A mail to ['owner@example.com'] was refused: Räum auf waits for you" in caplog.text
    assert "No such person" in caplog.text
    assert Notice.objects.get().mail_at is None
    assert Notice.objects.get().read_at is None, "it stays on the pages"


@pytest.mark.parametrize("what", ["address", "mail"])
def test_what_is_put_off_is_tried_again(told: Release, owner: User, post: Post, caplog: Any, what: str) -> None:
    post.to["owner@example.com"] = "451 4.7.1 Greylisted" if what == "address" else "250 OK"
    post.data = "452 4.3.1 No room" if what == "mail" else "250 OK"
    assert mail(owner) == 0
    assert "could not be sent now" in caplog.text
    assert is_kept(5)
    post.to, post.data = {}, "250 OK"
    assert mail(owner, 5) == 1
    assert len(post.taken) == 1


def test_while_the_server_is_away_nothing_is_lost(told: Release, owner: User, post: Post, caplog: Any) -> None:
    post.stop()
    assert [mail(owner, minutes) for minutes in (0, 5)] == [0, 0]
    assert caplog.text.count("The mail server could not be reached; it was to send: Räum auf waits for you") == 2
    assert is_kept(10)
    post.start()
    assert mail(owner, 10) == 1
    assert len(post.taken) == 1


def test_an_address_that_cannot_be_written_keeps_no_other_owner_from_being_told(
    shop: Any, owner: User, post: Post, caplog: Any
) -> None:
    for name, address in (("able", "a\nb@example.org"), ("zoe", "zoe@example.org")):
        User.objects.filter(pk=member(name, "qa").pk).update(email=address)
    release = planned(shop)
    stop()
    until = check_release(release.pk, now=MONDAY)
    assert until is not None
    assert notifications.announce(release.pk, until) == 2
    assert [one.rcpt_tos for one in post.taken] == [["owner@example.com"], ["zoe@example.org"]]
    assert r"A mail to ['a\nb@example.org'] was refused" in caplog.text


def test_an_owner_whose_mail_is_put_off_costs_the_others_nothing(shop: Any, owner: User, post: Post) -> None:
    User.objects.filter(pk=member("able", "qa").pk).update(email="able@example.org")
    post.to["able@example.org"] = "421 4.3.2 Closing"
    release = planned(shop)
    stop()
    until = check_release(release.pk, now=MONDAY)
    assert until is not None
    assert notifications.announce(release.pk, until) == 1
    assert check_release(release.pk, now=MONDAY + TELLING) is None, "told"
    assert Connection.objects.filter(enabled=False).exists()


def test_a_server_that_asks_for_tls_and_a_password_gets_both(
    told: Release, owner: User, settings: Settings, tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    authority, shows = certificate(tmp_path, "localhost")

    def knows(_: SMTP, session: Session, letter: Envelope, how: str, given: Any) -> AuthResult:
        return AuthResult(success=given == LoginPassword(b"pilothouse", b"pass word"), handled=False)

    post = Post("localhost", tls_context=shows, require_starttls=True, auth_required=True, authenticator=knows)
    post.start()
    try:
        settings.EMAIL_BACKEND, settings.EMAIL_TIMEOUT = "django.core.mail.backends.smtp.EmailBackend", 5
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = post.host, post.port, True
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "pilothouse", "pass word"
        assert mail(owner) == 0
        assert "CERTIFICATE_VERIFY_FAILED" in caplog.text, "nobody knows who that is"
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        settings.EMAIL_HOST_PASSWORD = "wrong"
        assert mail(owner, 5) == 0
        assert "SMTPAuthenticationError" in caplog.text
        settings.EMAIL_HOST_PASSWORD = "pass word"
        assert mail(owner, 10) == 1
        assert (post.sessions[0].ssl is not None, post.sessions[0].authenticated) == (True, True)
    finally:
        post.stop()


@pytest.mark.django_db(transaction=True)
def test_a_worker_mails_by_the_address_in_its_environment(
    told: Release, owner: User, post: Post, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{post.port}")
    monkeypatch.setenv("PILOTHOUSE_URL", "https://ship.example")
    Notice.objects.update(at=timezone.now(), mail_at=timezone.now())
    with worker(tmp_path / "worker.log"):
        queue.send_mails([owner.pk])
        wait_until(lambda: bool(post.taken), f"the mail arrives; see {tmp_path / 'worker.log'}", 90)
        wait_until(lambda: Notice.objects.get().mail_at is None, "and it is noted", 30)
    assert f"https://ship.example/releases/{told.pk}/" in post.mails[0].get_content()
