"""Making, listing and revoking calendar feeds: through the API, on their page, in the admin."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from guardian.shortcuts import assign_perm

from config.models import Event
from processes.models import Process
from releases.models import Feed, ReleaseGroup
from releases.services.feeds import MOST, create_feed, digest_of
from tests.edges.calls import Caller, with_token
from tests.edges.desk import Desk, staff
from tests.edges.pages import Reader

pytestmark = pytest.mark.django_db
PAGE = "/calendar/feeds/"


@pytest.fixture
def train(stranger: User) -> ReleaseGroup:
    """A group that the stranger may see."""
    process = Process.objects.create(slug="small", name="Small")
    made = ReleaseGroup.objects.create(slug="train", name="Train", process=process)
    ReleaseGroup.objects.create(slug="hidden", name="Hidden", process=process)
    assign_perm("view_releasegroup", stranger, made)
    return made


def opens(address: str) -> bool:
    status = Client().get(address.removeprefix("http://testserver")).status_code
    assert status in (200, 404)
    return status == 200


def test_a_feed_is_made_listed_and_revoked_through_the_api(train: ReleaseGroup, stranger: User, owner: User) -> None:
    caller = Caller(stranger)
    made = caller.post("calendar-feeds/", {"kind": "group", "group": "train"})
    assert (made.status, made["name"], made["group"], made["last_used_at"]) == (201, "Train", "train", None)
    secret = re.fullmatch(r"http://testserver/calendar/feeds/([\w-]{43})\.ics", made["address"])
    assert secret
    feed = Feed.objects.get()
    assert (feed.digest, secret[1] in str(vars(feed))) == (digest_of(secret[1]), False)
    assert opens(made["address"])

    listed = caller.get("calendar-feeds/")
    assert [(one["name"], "address" in one) for one in listed["results"]] == [("Train", False)]
    assert secret[1].encode() not in listed.raw
    assert Caller(owner).get("calendar-feeds/")["results"] == []
    assert Caller(owner).delete(f"calendar-feeds/{feed.pk}/").status == 404
    assert caller.delete(f"calendar-feeds/{feed.pk}/").status == 204
    assert caller.delete(f"calendar-feeds/{feed.pk}/").status == 404
    assert not opens(made["address"])
    assert caller.get("calendar-feeds/")["results"] == []
    told = Event.objects.filter(subject_type="feed").order_by("id")
    assert [(one.actor_name, one.verb) for one in told] == [("stranger", "feed.created"), ("stranger", "feed.revoked")]
    assert secret[1] not in str([(one.before, one.after, one.subject_name) for one in told])


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, {"kind"}),
        ({"kind": "everything"}, {"kind"}),
        ({"kind": "group"}, {"group"}),
        ({"kind": "group", "group": "hidden"}, {"group"}),
        ({"kind": "group", "group": "nowhere"}, {"group"}),
        ({"kind": "mine", "group": "train"}, {"group"}),
        ({"kind": "mine", "name": "x" * 201}, {"name"}),
    ],
)
def test_what_cannot_be_made_is_told(
    body: dict[str, str], paths: set[str], train: ReleaseGroup, stranger: User
) -> None:
    answer = Caller(stranger).post("calendar-feeds/", body)
    assert (answer.status, answer.code, answer.paths) == (400, "invalid_input", paths)
    assert not Feed.objects.exists()


def test_the_same_request_sent_again_makes_no_second_feed_and_tells_no_secret(stranger: User) -> None:
    caller = Caller(stranger)
    first, again = (caller.post("calendar-feeds/", {"kind": "mine"}, Idempotency_Key="k") for _ in range(2))
    assert (again["id"], again["address"], Feed.objects.count()) == (first["id"], "", 1)


def test_a_token_to_read_makes_no_feed(stranger: User) -> None:
    answer = with_token(stranger, "read").post("calendar-feeds/", {"kind": "mine"})
    assert (answer.status, answer.code) == (403, "scope")


def test_there_is_an_end_to_how_many_one_has(stranger: User) -> None:
    for _ in range(MOST):
        create_feed(stranger, kind="mine", now=timezone.now())
    answer = Caller(stranger).post("calendar-feeds/", {"kind": "mine"})
    assert (answer.status, answer.code) == (409, "too_many")
    reader = Reader(stranger)
    assert "Revoke one that you do not use first." in reader.send(PAGE, kind="mine")
    assert reader.status == 409


def test_the_page_makes_a_feed_and_shows_its_address_once(train: ReleaseGroup, stranger: User) -> None:
    reader = Reader(stranger)
    assert "You have none yet" in reader.open(PAGE)
    assert "Hidden" not in reader.text
    assert 'href="/calendar/feeds/"' in reader.source
    mark = re.findall(r'name="once" value="(\w+)"', reader.source)[0]
    reader.send(PAGE, kind="group", group="train", name="<b>Ours</b>", once=mark)
    address = re.findall(r'value="(http://testserver/calendar/feeds/[\w-]+\.ics)"', reader.source)[0]
    assert reader.status == 201
    assert address.replace("http:", "webcal:") in reader.source
    assert "<b>Ours" not in reader.source
    assert "no-store" in reader.headers["Cache-Control"]
    assert opens(address)

    reader.send(PAGE, kind="group", group="train", once=mark)  # the browser's button pressed twice
    assert (reader.location, Feed.objects.count(), address in reader.source) == (PAGE, 1, False)
    assert "last used" in reader.text

    feed = Feed.objects.get()
    other = Reader(User.objects.create_user("other"))
    other.send(f"{PAGE}{feed.pk}/revoke/")
    assert other.status == 404
    assert "You have none yet" in reader.send(f"{PAGE}{feed.pk}/revoke/")
    assert not opens(address)


def test_what_was_typed_is_kept_when_it_is_refused(train: ReleaseGroup, stranger: User) -> None:
    reader = Reader(stranger)
    for group in ("", "hidden"):
        reader.send(PAGE, kind="group", group=group, name="Ours")
        assert reader.status == 400
        assert "Choose the group whose releases it shows." in reader.text
        assert 'value="Ours"' in reader.source
    reader.send(PAGE, kind="nonsense")
    assert (reader.status, Feed.objects.exists()) == (400, False)


def test_nobody_signed_in_is_sent_to_sign_in(stranger: User) -> None:
    feed, _ = create_feed(stranger, kind="mine", now=timezone.now())
    reader = Reader()
    for address in (PAGE, f"{PAGE}{feed.pk}/revoke/"):
        reader.send(address, kind="mine")
        assert reader.location.startswith("/sign-in/?next=")
    assert Feed.objects.filter(revoked_at=None).count() == 1


def test_a_superuser_revokes_anybodys_in_the_admin(admin: User, stranger: User, manager: User) -> None:
    feed, secret = create_feed(stranger, kind="mine", now=timezone.now())
    desk = Desk(admin)
    desk.open("releases_feed_changelist")
    assert "My releases stranger" in desk.text
    address = "/admin/releases/feed/"
    desk.client.post(address, {"action": "revoke", "_selected_action": [feed.pk]})
    assert not opens(f"{PAGE}{secret}.ics")
    assert Event.objects.latest("id").actor_name == "admin"
    client = Client()
    client.force_login(staff(manager))
    assert client.get(address).status_code == 403
