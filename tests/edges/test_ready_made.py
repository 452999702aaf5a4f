"""The page and the address of activities that come with Pilothouse: what they show, who may add, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from activities.models import Activity, Connection
from activities.services import apply_connection
from processes.ready_made import shipped
from tests.builders import MONDAY
from tests.edges.calls import Caller
from tests.edges.desk import staff
from tests.edges.pages import Reader
from tests.edges.test_pages_costs import queries

pytestmark = pytest.mark.django_db
PAGE, ADDRESS = "/ready-made/", "store/shipped/"


@pytest.fixture(autouse=True)
def prometheus() -> None:
    connect("prometheus")


def connect(slug: str, provider: str = "prometheus") -> None:
    settings = {"url": "https://prometheus.example.com"}
    document = {"kind": "Connection", "id": slug, "name": slug, "provider": provider, "settings": settings}
    apply_connection(None, document, now=MONDAY)


def without(person: User, codename: str) -> User:
    person.user_permissions.remove(Permission.objects.get(codename=codename))
    return User.objects.get(pk=person.pk)


def stands(caller: Caller, provider: str) -> dict[str, str]:
    card = next(one for one in caller.get(ADDRESS)["results"] if one["provider"] == provider)
    return {one["id"]: one["state"] for one in card["activities"]}


def test_the_page_tells_what_there_is_and_adds_it(author: User) -> None:
    reader = Reader(author)
    text = reader.open(PAGE)
    assert "Unleash unleash" in text
    assert "Turns the flag on for a percentage of the environment." in text
    assert "percentage required integer at least 0, at most 100" in text or "percentage required integer" in text
    assert "In the store" not in text
    text = reader.send(PAGE, provider="prometheus", connection="prometheus", prefix="", once="x")
    assert reader.location == "/ready-made/?provider=prometheus&connection=prometheus&prefix=#prometheus"
    assert "Prometheus: 1 activity added." in text
    assert "prometheus-gate @1 In the store" in text
    reader.send(PAGE, provider="prometheus", connection="prometheus", prefix="", once="x")
    assert Activity.objects.count() == 1
    assert "everything was in the store already" in reader.send(PAGE, provider="prometheus", once="y")
    assert 'href="/store/prometheus-gate/"' in reader.source


def test_what_was_changed_is_left_alone_and_said_unless_it_is_to_be_replaced(author: User) -> None:
    reader = Reader(author)
    reader.send(PAGE, provider="prometheus", once="1")
    assert "Replace what was changed" not in reader.text
    row = Activity.objects.get()
    Activity.objects.update(draft={**row.draft, "timeout": "1h"})
    assert "Changed here" in reader.open(PAGE)
    assert "Left alone: prometheus-gate. It was changed since it was added." in reader.send(
        PAGE, provider="prometheus", once="2"
    )
    assert "1 activity added" in reader.send(PAGE, provider="prometheus", replace="yes", once="3")


def test_those_for_a_second_connection_get_ids_of_their_own(author: User) -> None:
    connect("prometheus-eu")
    reader = Reader(author)
    text = reader.send(PAGE, provider="prometheus", connection="prometheus-eu", prefix="eu-", once="1")
    assert "eu-prometheus-gate @1 In the store on prometheus-eu" in text
    assert "eu-prometheus-gate" not in reader.open(PAGE)
    text = reader.send(PAGE, provider="prometheus", connection="prometheus", once="2")
    assert "prometheus-gate @1 In the store" in text


def test_faults_stand_on_the_card_they_belong_to(author: User) -> None:
    reader = Reader(author)
    text = reader.send(PAGE, provider="prometheus", connection="prometheus", prefix="Eu!", once="1")
    assert reader.status == 400
    assert "prefix : Ids begin with a lower-case letter" in text
    assert 'value="Eu!"' in reader.source
    reader.send(PAGE, provider="nothing", connection="x", once="2")
    assert reader.status == 400
    reader.send(PAGE, provider="\0", connection="\0", prefix="\0", once="3")
    assert reader.status == 400
    reader.open(f"{PAGE}?provider=prometheus&connection=%00&prefix=%00")
    assert reader.status == 200


def test_a_provider_without_a_connection_leads_to_making_one(author: User) -> None:
    assert "Ask an operator for one, with the id unleash" in Reader(author).open(PAGE)
    reader = Reader(staff(author))
    assert "New connection to Unleash" in reader.open(PAGE)
    address = "/admin/activities/connection/add/?provider=unleash&slug=unleash"
    assert address.replace("&", "&amp;") in reader.source
    reader.open(address)
    assert '<option value="unleash" selected>' in reader.source


def test_who_may_not_publish_looks_only(author: User) -> None:
    reader = Reader(without(author, "publish_activity"))
    assert "Monitoring gate (Prometheus)" in reader.open(PAGE)
    assert "Add to the store" not in reader.text
    reader.send(PAGE, provider="prometheus", connection="prometheus", once="1")
    assert reader.status == 403
    assert not Activity.objects.exists()


def test_a_stranger_and_nobody_find_nothing(stranger: User, author: User) -> None:
    reader, nobody = Reader(stranger), Reader()
    reader.open(PAGE)
    assert reader.status == 403
    reader.send(PAGE, provider="prometheus", connection="prometheus", once="1")
    assert reader.status == 403
    nobody.open(PAGE)
    assert nobody.status == 302
    assert "Ready-made" not in reader.open("/store/")
    assert "Ready-made" in Reader(author).open("/store/")
    assert not Activity.objects.exists()


def test_a_connection_that_may_not_be_seen_is_not_there(author: User) -> None:
    caller = Caller(author)
    assert caller.get(ADDRESS)["results"][0]["connections"] == []
    for verb in ("view", "change", "delete"):
        author = without(author, f"{verb}_connection")
    answer = Caller(author).post(ADDRESS, {"provider": "prometheus"})
    assert (answer.status, answer.code, answer.paths) == (400, "invalid_input", {"connection"})
    assert "Prometheus prometheus" in Reader(author).open(PAGE)
    assert "(prometheus)</option>" not in Reader(author).source


def test_the_api_lists_and_adds(author: User) -> None:
    caller = Caller(author)
    assert stands(caller, "prometheus") == {"prometheus-gate": "absent"}
    answer = caller.post(ADDRESS, {"provider": "prometheus"}, Idempotency_Key="k")
    wanted = {"id": "prometheus-gate", "result": "created", "revision": 1, "why": ""}
    assert (answer.status, answer["results"]) == (200, [wanted])
    assert caller.post(ADDRESS, {"provider": "prometheus"}, Idempotency_Key="k")["results"] == [wanted]
    answer = caller.post(ADDRESS, {"provider": "prometheus"})
    assert answer["results"] == [{**wanted, "result": "unchanged"}]
    assert stands(caller, "prometheus") == {"prometheus-gate": "current"}


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, {"provider"}),
        ({"provider": "nothing"}, {"provider"}),
        ({"provider": "prometheus", "connection": "x", "prefix": "X"}, {"connection", "prefix"}),
        ({"provider": "prometheus", "activities": ["x"]}, {"activities"}),
        ({"provider": "prometheus", "colour": "red"}, {"colour"}),
        ([], set()),
    ],
)
def test_what_the_api_cannot_add_is_a_problem(author: User, body: Any, paths: set[str]) -> None:
    answer = Caller(author).post(ADDRESS, body)
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert paths <= answer.paths


def test_the_api_lets_nobody_add_who_may_not(author: User, stranger: User) -> None:
    for person in (stranger, without(author, "publish_activity")):
        answer = Caller(person).post(ADDRESS, {"provider": "prometheus"})
        assert (answer.status, answer.code) == (403, "not_permitted")
    answer = Caller(stranger).get(ADDRESS)
    assert (answer.status, answer.code) == (403, "not_permitted")
    assert not Activity.objects.exists()


def test_the_page_costs_the_same_with_one_and_with_everything_in_the_store(author: User, admin: User) -> None:
    readers = [Reader(author), Reader(admin)]
    readers[1].send(PAGE, provider="prometheus", connection="prometheus", once="one")
    few = [queries(reader, PAGE) for reader in readers]
    for provider, ships in shipped().items():
        Connection.objects.get_or_create(slug=ships.connection, defaults={"name": provider, "provider": provider})
        readers[1].send(PAGE, provider=provider, connection=ships.connection, once=provider)
    assert Activity.objects.count() > 30
    assert [queries(reader, PAGE) for reader in readers] == few
    assert max(few) < 20
