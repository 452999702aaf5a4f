"""Activities that come with Pilothouse are added to the store once, and what people made of them stays theirs."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command

from activities.models import Activity, ActivityRevision, Connection
from activities.services import apply_activity, apply_connection, publish_activity, save_draft
from config.errors import InvalidInput, NotPermitted
from config.models import Event
from processes import ready_made
from processes.services import add_ready_made, standings
from tests.builders import MONDAY

pytestmark = pytest.mark.django_db
GATE = "prometheus-gate"


@pytest.fixture(autouse=True)
def prometheus() -> Connection:
    return connect("prometheus")


def connect(slug: str, provider: str = "prometheus") -> Connection:
    settings = {"url": "https://prometheus.example.com"}
    document = {"kind": "Connection", "id": slug, "name": slug, "provider": provider, "settings": settings}
    apply_connection(None, document, now=MONDAY)
    return Connection.objects.get(slug=slug)


def add(provider: str = "prometheus", **more: Any) -> list[tuple[str, str, int | None]]:
    done = add_ready_made(more.pop("actor", None), provider, now=MONDAY, **more)
    return [(one.id, one.result, one.revision) for one in done]


def edit(slug: str = GATE, **changes: Any) -> Activity:
    activity = Activity.objects.get(slug=slug)
    save_draft(None, activity, document={**activity.draft, **changes}, now=MONDAY)
    return activity


def ship(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Let another document come with Pilothouse, as after an upgrade."""
    old = ready_made.shipped()["prometheus"]
    new = ready_made.Shipped("prometheus", "prometheus", ({**old.documents[0], **changes},))
    for place in ("processes.ready_made.shipped", "processes.services.ready_made.shipped"):
        monkeypatch.setattr(place, lambda: {"prometheus": new})


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("add_activities", *arguments, stdout=out)
    return out.getvalue()


def test_everything_that_comes_is_known_by_the_name_of_a_provider() -> None:
    assert {"unleash", "harness_fme", "prometheus", "jira"} <= set(ready_made.shipped())
    assert ready_made.shipped()["harness_fme"].connection == "harness-fme"
    assert [one.title for one in ready_made.shipped().values()][:3] == ["Datadog", "Flagsmith", "GO Feature Flag"]


def test_added_twice_the_second_time_changes_nothing(author: User) -> None:
    assert add(actor=author) == [(GATE, "created", 1)]
    told = Event.objects.count()
    assert add(actor=author) == [(GATE, "unchanged", 1)]
    assert (Event.objects.count(), ActivityRevision.objects.count()) == (told, 1)
    assert list(Event.objects.filter(subject_type="activity").values_list("verb", "actor_name")) == [
        ("activity.created", "author"),
        ("activity.published", "author"),
        ("activity.added", "author"),
    ]


def test_what_somebody_has_changed_is_left_alone_and_said_unless_it_is_to_be_replaced() -> None:
    add()
    edit(timeout="1h")
    assert command("prometheus") == (
        "Activity prometheus-gate: left alone (revision 1). It was changed since it was added.\n"
    )
    assert Activity.objects.get().draft["timeout"] == "1h"
    assert add(replace=True) == [(GATE, "changed", 1)]
    assert Activity.objects.get().draft["timeout"] == "4h"


def test_what_was_changed_and_published_is_replaced_by_a_revision_of_its_own() -> None:
    add()
    publish_activity(None, edit(timeout="1h"), now=MONDAY)
    assert add() == [(GATE, "left", 2)]
    assert add(replace=True) == [(GATE, "changed", 3)]
    assert add() == [(GATE, "unchanged", 3)]


def test_a_newer_one_takes_the_place_of_one_that_nobody_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    add()
    ship(monkeypatch, timeout="8h")
    assert [one.state for one in standings(None)["prometheus"]] == ["outdated"]
    assert add() == [(GATE, "changed", 2)]
    edit(timeout="1h")
    ship(monkeypatch, timeout="9h")
    assert [one.state for one in standings(None)["prometheus"]] == ["changed"]
    assert add() == [(GATE, "left", 2)]


def test_one_that_was_never_published_is_published() -> None:
    apply_activity(None, ready_made.shipped()["prometheus"].documents[0], now=MONDAY)
    assert [one.state for one in standings(None)["prometheus"]] == ["outdated"]
    assert add() == [(GATE, "changed", 1)]


def test_another_connection_is_used_and_told_in_the_name() -> None:
    connect("prometheus-eu")
    assert add(connection="prometheus-eu", prefix="eu-") == [("eu-prometheus-gate", "created", 1)]
    draft = Activity.objects.get().draft
    assert (draft["name"], draft["automated"]["connection"]) == (
        "Monitoring gate (Prometheus, prometheus-eu)",
        "prometheus-eu",
    )
    assert add() == [(GATE, "created", 1)]


def test_activities_are_not_turned_to_another_connection_by_the_way() -> None:
    add()
    connect("prometheus-eu")
    done = add_ready_made(None, "prometheus", connection="prometheus-eu", now=MONDAY)
    assert [one.result for one in done] == ["left"]
    assert "It runs on the connection 'prometheus'" in done[0].why
    assert add(connection="prometheus-eu", replace=True) == [(GATE, "changed", 2)]
    assert [(one.state, one.on) for one in standings(None)["prometheus"]] == [("current", "prometheus-eu")]


def test_some_of_them_can_be_chosen() -> None:
    connect("unleash", "unleash")
    assert add("unleash", only=["unleash-enable-flag"]) == [("unleash-enable-flag", "created", 1)]
    assert len(add("unleash")) == 5


@pytest.mark.parametrize(
    ("provider", "chosen", "words"),
    [
        ("unlesh", {}, "provider: No activities come for 'unlesh'. Do you mean 'unleash'?"),
        ("unleash", {}, "connection: There is no connection 'unleash'. Make one with the provider unleash first."),
        ("prometheus", {"connection": "x"}, "There is no connection 'x'. Name one of prometheus."),
        ("unleash", {"connection": "prometheus"}, "'prometheus' is a connection of the provider prometheus."),
        ("prometheus", {"prefix": "Eu "}, "prefix: Ids begin with a lower-case letter"),
        ("prometheus", {"only": ["nothing"]}, "activities: There is no 'nothing'. There are prometheus-gate."),
    ],
)
def test_what_cannot_be_added_is_said_with_a_cure(provider: str, chosen: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        add(provider, **chosen)
    assert words in refused.value.message
    assert not Activity.objects.exists()


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        add(connection="x", prefix="X", only=["y"])
    assert [one.path for one in refused.value.faults] == ["connection", "prefix", "activities"]


def test_who_may_not_publish_adds_nothing(author: User, stranger: User) -> None:
    with pytest.raises(NotPermitted, match="add_activity"):
        add(actor=stranger)
    author.user_permissions.remove(Permission.objects.get(codename="publish_activity"))
    with pytest.raises(NotPermitted, match="publish_activity"):
        add(actor=User.objects.get(pk=author.pk))
    assert not Activity.objects.exists()


def test_the_command_lists_what_comes_and_how_it_stands() -> None:
    command("prometheus")
    listed = command()
    assert "unleash: Unleash\n  unleash-create-flag" in listed
    assert f"  {GATE:32} Monitoring gate (Prometheus); in the store\n" in listed


def test_the_command_adds_those_of_several_providers_or_none() -> None:
    with pytest.raises(CommandError, match="There is no connection 'unleash'"):
        command("prometheus", "unleash")
    assert not Activity.objects.exists()
    connect("unleash", "unleash")
    assert command("prometheus", "unleash").count("created (revision 1)") == 6


def test_the_command_acts_with_the_permissions_of_a_person(stranger: User) -> None:
    with pytest.raises(CommandError, match="view_activity"):
        command("--as", "stranger")


def test_the_documents_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ready_made.shipped.cache_clear()
    assert "unleash" in ready_made.shipped()
