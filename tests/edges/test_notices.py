"""What people were told, on the pages and through the API; each sees their own, about what they may see."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from config.models import Preference
from releases.models import Notice, Participant
from releases.services import noticing
from tests.builders import MONDAY, run_of
from tests.edges.calls import Caller
from tests.edges.pages import Reader, publish, start

pytestmark = pytest.mark.django_db
PAGE = "/notices/"

#   one (owned by qa): [sign: manual]
SHOP = """
kind: Process
id: shop
name: Shop
phases:
  - id: one
    name: One
    owners: ["group:qa"]
    activities:
      - {id: sign, name: Sign it, manual: {instructions: Sign.}}
"""


def told(by: User, *people: User) -> Notice:
    """Start a release and tell these people, that something waits for them; return the first notice."""
    run = run_of(start(publish(SHOP), by), "one/sign")
    for person in people:
        noticing.make_notices(run, [person], kind="asked", key=f"asked:{run.pk}", now=MONDAY)
    return Notice.objects.order_by("id")[0]


def test_what_is_new_is_counted_read_by_following_it_and_kept(owner: User, manager: User) -> None:
    notice = told(manager, owner, manager)
    reader = Reader(owner)
    text = reader.open(PAGE)
    assert ("Sign it waits for you" in text, "1 new" in text, "New:" in text) == (True, True, True)
    run = notice.activity_run
    assert run is not None
    answer = reader.client.get(f"{PAGE}{notice.pk}/")
    assert answer.headers["Location"] == f"/releases/{run.release_id}/activities/{run.pk}/"
    text = reader.open(PAGE)
    assert ("Sign it waits for you" in text, "1 new" in text, "Mark all" in text) == (True, False, False)
    assert Notice.objects.filter(user=manager, read_at=None).count() == 1


def test_everything_is_read_at_once(owner: User, manager: User) -> None:
    told(manager, owner, manager)
    reader = Reader(owner)
    assert "Mark all as read" in reader.open(PAGE)
    assert "Mark all as read" not in reader.send(f"{PAGE}read/")
    assert list(Notice.objects.filter(read_at=None).values_list("user__username", flat=True)) == ["manager"]


def test_somebody_who_was_told_nothing_reads_what_they_would_hear_of(stranger: User) -> None:
    assert "Nothing to tell you" in Reader(stranger).open(PAGE)


def test_notices_of_others_and_of_what_one_may_no_longer_see_are_not_there(
    owner: User, manager: User, stranger: User
) -> None:
    notice = told(manager, owner, stranger)
    reader = Reader(stranger)
    for pk in Notice.objects.values_list("pk", flat=True):
        reader.open(f"{PAGE}{pk}/")
        assert reader.status == 404
    assert "Sign it" not in reader.open(PAGE)
    assert Caller(stranger).get("notices/")["results"] == []
    Participant.objects.all().delete()
    reader = Reader(owner)
    reader.open(f"{PAGE}{notice.pk}/")
    assert reader.status == 404


def test_many_are_read_a_page_at_a_time_in_the_same_number_of_queries(
    owner: User, manager: User, django_assert_max_num_queries: Any
) -> None:
    run = told(manager, owner).activity_run
    assert run is not None
    for number in range(60):
        noticing.make_notices(run, [owner], kind="mentioned", key=f"mentioned:{number}", now=MONDAY, actor_name="Ann")
    reader = Reader(owner)
    assert reader.open(PAGE).count("mentioned you") == 50
    with django_assert_max_num_queries(10):
        reader.open(PAGE)
    last = Notice.objects.order_by("-id")[49].pk
    assert reader.open(f"{PAGE}?before={last}").count("mentioned you") == 10
    assert reader.open(f"{PAGE}?before=x").count("mentioned you") == 50


def test_the_api_lists_filters_and_marks_them(owner: User, manager: User) -> None:
    notice = told(manager, owner, manager)
    caller = Caller(owner)
    (one,) = caller.get("notices/?unread=true&kind=asked")["results"]
    assert (one["id"], one["text"], one["read_at"]) == (notice.pk, "Sign it waits for you", None)
    others = Notice.objects.get(user=manager).pk
    assert caller.post("notices/read/", {"ids": [others]})["read"] == 0
    assert caller.post("notices/read/", {})["read"] == 1
    assert caller.get("notices/?unread=true")["results"] == []
    assert caller.get("notices/?kind=gossip").paths == {"kind"}


def test_which_kinds_are_mailed_is_chosen_in_the_settings(owner: User) -> None:
    reader = Reader(owner)
    text = reader.open("/settings/")
    assert ("owner@example.com" in text, reader.source.count(" checked")) == (True, 7)
    reader.send("/settings/", zone="", mailed=["asked", "held"])
    assert Preference.objects.get(user=owner).unmailed == ["overdue", "mentioned", "stopped", "exception", "decided"]
    assert reader.source.count(" checked") == 2
    caller = Caller(owner)
    assert caller.patch("preferences/", {"unmailed": ["gossip"]}).paths == {"unmailed"}
    assert caller.patch("preferences/", {"unmailed": []})["unmailed"] == []
