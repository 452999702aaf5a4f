"""Creating a release ad hoc and starting it, with what is wrong said beside what was typed."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from config.models import Event
from processes.models import InputSet, Process
from releases.models import Release
from releases.services.freezing import stop_the_line
from tests.builders import run_of
from tests.edges.pages import KINDS, Reader, page_of, plan, publish, start
from tests.fakes import ScriptedRunner

pytestmark = pytest.mark.django_db
NEW = "/releases/new/?process=move"


@pytest.fixture
def process(engine: ScriptedRunner) -> Process:
    return publish(KINDS)


def test_one_chooses_among_the_processes_one_may_start(process: Process, manager: User, stranger: User) -> None:
    assert "Database move" in Reader(manager).open("/releases/new/")
    assert "No process that you may start" in Reader(stranger).open("/releases/new/")
    reader = Reader(stranger)
    reader.open(NEW)
    assert reader.status == 404


def test_a_release_is_created_and_started_with_typed_values(process: Process, manager: User) -> None:
    reader = Reader(manager)
    assert "Usual" in reader.open(NEW)
    data = {
        "name": "Spring",
        "version": "3",
        "input_set": "usual",
        "inputs.region": "us",
        "inputs.hosts": "a\r\nb",
        "do": "start",
    }
    reader.send(NEW, **data, planned_start_at="2026-03-02T09:00")
    release = Release.objects.get()
    assert reader.location == page_of(release)
    assert (release.state, release.input_set, release.created_by) == ("running", InputSet.objects.get(), manager)
    assert release.given == {"inputs": {"region": "us", "hosts": ["a", "b"]}}
    assert str(release.planned_start_at) == "2026-03-02 09:00:00+00:00"


def test_everything_wrong_is_said_at_once_beside_its_field_and_nothing_typed_is_lost(
    process: Process, manager: User
) -> None:
    reader = Reader(manager)
    typed = {"name": " ", "version": "<3>", "description": "why not", "inputs.region": "mars", "planned_end_at": "soon"}
    text = reader.send(NEW, **typed, input_set="other")
    assert reader.status == 400
    for word in ("A release needs a name.", "'soon' is not a date and time.", "There is no such input set", "mars"):
        assert word in text
    assert 'value="&lt;3&gt;"' in reader.source
    assert "why not" in reader.source
    assert not Release.objects.exists()


def test_the_same_form_sent_twice_creates_one_release(process: Process, manager: User) -> None:
    reader = Reader(manager)
    reader.send(NEW, name="Spring", once="abc")
    first = reader.location
    reader.send(NEW, name="Spring", once="abc")
    assert (Release.objects.count(), reader.location) == (1, first)
    reader.send(NEW, name="Spring", once="def")
    assert Release.objects.count() == 2


def test_the_start_shows_every_value_with_where_it_comes_from(process: Process, manager: User) -> None:
    release = plan(process, manager, given={"inputs": {"region": "us"}})
    text = Reader(manager).open(page_of(release, "start/"))
    for word in ("Every value is there", "1.0 input set", "us given on the release", "Prepare / Check", "10 default"):
        assert word in text


def test_what_stops_the_start_is_listed(process: Process, manager: User) -> None:
    InputSet.objects.all().delete()
    release = plan(process, manager)
    reader = Reader(manager)
    assert "1 thing to mend before it can start." in reader.open(page_of(release, "start/"))
    assert 'id="inputs.version"' in reader.source
    assert "required" in reader.text
    assert "1 thing to mend" in reader.send(page_of(release, "start/"), start="yes")
    assert reader.status == 400
    assert Release.objects.get().state == "draft"


def test_an_override_that_cannot_be_read_is_marked_and_kept(process: Process, manager: User) -> None:
    release = plan(process, manager)
    reader = Reader(manager)
    text = reader.send(
        page_of(release, "start/"), start="yes", **{"inputs.version": "next one", "prepare/check.limit": "lots"}
    )
    assert reader.status == 400
    assert "2 things to mend" in text
    assert 'value="next one"' in reader.source
    assert "'lots' cannot be read as integer." in text
    assert Release.objects.get().state == "draft"


def test_checking_changes_shows_them_without_starting(process: Process, manager: User) -> None:
    release = plan(process, manager)
    text = Reader(manager).send(page_of(release, "start/"), check="yes", **{"inputs.version": "2.0"})
    assert "2.0 given at start" in text
    assert "your changes included" in text
    assert Release.objects.get().state == "draft"


def test_a_start_pins_overrides_of_every_level(process: Process, manager: User) -> None:
    release = plan(process, manager)
    reader = Reader(manager)
    reader.send(page_of(release, "start/"), start="yes", **{"inputs.version": "2.0", "prepare/check.limit": "42"})
    release.refresh_from_db()
    assert (reader.location, release.state) == (page_of(release), "running")
    assert (release.inputs["version"], release.sources["version"]) == ("2.0", "start")
    assert run_of(release, "prepare/check").inputs == {"limit": 42}


def test_a_start_pressed_twice_starts_once(process: Process, manager: User) -> None:
    release = plan(process, manager)
    reader = Reader(manager)
    for _ in range(2):
        reader.send(page_of(release, "start/"), start="yes", once="one")
        assert reader.location == page_of(release)
    reader.open(page_of(release, "start/"))
    assert reader.status == 302


def test_who_may_see_a_draft_but_not_start_it_is_told(process: Process, manager: User, stranger: User) -> None:
    release = plan(process, manager)
    from_outside = Reader(stranger)
    from_outside.open(page_of(release, "start/"))
    assert from_outside.status == 404
    release.created_by = stranger
    release.save()
    assert "You need the permission to start releases" in from_outside.open(page_of(release, "start/"))
    assert from_outside.status == 403


# The steps ------------------------------------------------------------------------------------------------------------
def test_the_last_step_shows_every_value_with_its_source_before_anything_exists(
    process: Process, manager: User
) -> None:
    reader = Reader(manager)
    typed = {"name": "Spring", "version": "3", "input_set": "usual", "inputs.region": "us"}
    text = reader.send(NEW, to="values", **typed)
    assert reader.status == 200
    for word in ("Every value is there", "1.0 input set", "us given on the release", "Prepare / Check", "10 default"):
        assert word in text
    assert 'name="name" hidden>\nSpring' in reader.source
    assert not Release.objects.exists()
    assert not Event.objects.filter(verb="release.created").exists()


def test_what_is_missing_is_marked_beside_its_value_and_only_a_start_needs_it(process: Process, manager: User) -> None:
    reader = Reader(manager)
    text = reader.send(NEW, to="values", name="Spring")
    assert reader.status == 200
    assert "1 thing to mend before it can start." in text
    assert "1 thing to mend" in reader.send(NEW, do="start", name="Spring")
    assert (reader.status, Release.objects.count()) == (400, 0)
    reader.send(NEW, do="create", name="Spring")
    assert Release.objects.get().state == "draft"


def test_overrides_of_every_level_are_kept_on_the_way_back_and_given_to_the_release(
    process: Process, manager: User
) -> None:
    reader = Reader(manager)
    typed = {"name": "Spring", "description": "two\r\nlines", "inputs.version": "2.0", "prepare/check.limit": "42"}
    reader.send(NEW, to="what", **typed)
    assert 'name="prepare/check.limit" hidden>\n42' in reader.source
    reader.send("/releases/new/?process=move", to="process", **typed)
    assert 'formaction="/releases/new/?process=move"' in reader.source
    assert 'name="description" hidden>\ntwo' in reader.source
    reader.send(NEW, do="start", **typed)
    release = Release.objects.get()
    assert run_of(release, "prepare/check").inputs == {"limit": 42}
    assert release.inputs["version"] == "2.0"


def test_a_value_that_cannot_be_read_is_marked_in_the_last_step_and_kept(process: Process, manager: User) -> None:
    reader = Reader(manager)
    text = reader.send(NEW, do="start", name="Spring", **{"inputs.version": "1.0", "prepare/check.limit": "lots"})
    assert reader.status == 400
    assert "'lots' cannot be read as integer." in text
    assert 'value="lots"' in reader.source
    assert not Release.objects.exists()


def test_what_comes_first_is_mended_first(process: Process, manager: User) -> None:
    reader = Reader(manager)
    text = reader.send(NEW, to="values", name="", planned_end_at="soon")
    assert (reader.status, "A release needs a name." in text, "is not a date" in text) == (400, True, True)
    text = reader.send(
        NEW, to="values", name="n", planned_start_at="2030-03-02T09:00", planned_end_at="2030-03-01T09:00"
    )
    assert "The planned end is before the planned start." in text
    assert reader.status == 400


def test_a_release_for_later_is_scheduled_at_once(process: Process, manager: User) -> None:
    reader = Reader(manager)
    typed = {"name": "Spring", "input_set": "usual", "planned_start_at": "2199-03-02T09:00"}
    assert "Create and schedule" in reader.send(NEW, to="values", **typed)
    reader.send(NEW, do="schedule", **typed)
    assert Release.objects.get().state == "scheduled"


def test_what_would_stop_it_is_shown_and_a_start_then_makes_nothing(process: Process, manager: User) -> None:
    stop_the_line(None, scope={"everything": True}, reason="Outage", now=timezone.now())
    reader = Reader(manager)
    assert "What would stop it now" in reader.send(NEW, to="values", name="Spring", input_set="usual")
    text = reader.send(NEW, do="start", name="Spring", input_set="usual")
    assert "It did not start, and was not created." in text
    assert (reader.status, Release.objects.count()) == (409, 0)
    reader.send(NEW, do="create", name="Spring", input_set="usual")
    assert Release.objects.get().state == "draft"


def test_roles_are_filled_by_those_who_may(engine: ScriptedRunner, manager: User, owner: User) -> None:
    publish(KINDS.replace("phases:", "roles: {lead: {group: qa}}\nphases:", 1))
    reader = Reader(manager)
    assert 'list="role.lead-who"' in (reader.open(NEW), reader.source)[1]
    assert "There is nobody called" in reader.send(NEW, to="values", name="Spring", **{"role.lead": "nobody"})
    assert "manager is not qa." in reader.send(NEW, to="values", name="Spring", **{"role.lead": "manager"})
    reader.send(NEW, do="create", name="Spring", **{"role.lead": "owner"})
    assert [row.user for row in Release.objects.get().roles.all()] == [owner]


def test_processes_are_searched_when_there_are_many(process: Process, manager: User) -> None:
    for number in range(9):
        publish(
            KINDS.partition("---")[0]
            .replace("id: move\n", f"id: move-{number}\n", 1)
            .replace("Database", f"No {number}")
        )
    reader = Reader(manager)
    assert "Search processes" in reader.open("/releases/new/?start=2030-01-01T09:00")
    text = reader.open("/releases/new/?q=no+3&start=2030-01-01T09:00")
    assert ("No 3 move" in text, "Database move" in text) == (True, False)
    assert "process=move-3&amp;start=2030" in reader.source
    assert "No process matches" in reader.open("/releases/new/?q=zzz")


def test_an_unknown_deed_makes_nothing(process: Process, manager: User) -> None:
    reader = Reader(manager)
    assert "There is no such action." in reader.send(NEW, do="explode", name="Spring", input_set="usual")
    assert not Release.objects.exists()


def test_roles_of_a_release_that_exists_are_filled_and_changed_on_its_page(
    engine: ScriptedRunner, manager: User, owner: User
) -> None:
    process = publish(
        KINDS.replace("phases:", "roles: {lead: {group: qa}, scribe: {group: release-managers}}\nphases:", 1)
    )
    release = plan(process, manager)
    here = page_of(release, "roles/")
    reader = Reader(manager)
    assert "Fill roles" in reader.open(page_of(release))
    assert 'list="role.lead-who"' in (reader.open(here), reader.source)[1]
    text = reader.send(here, **{"role.lead": "manager", "role.scribe": "nobody"})
    assert (reader.status, "manager is not qa." in text, "nobody called 'nobody'" in text) == (400, True, True)
    assert not release.roles.exists()
    text = reader.send(here, **{"role.lead": "owner", "role.scribe": ""})
    assert ("lead owner" in text, "Change roles" in text) == (True, True)
    text = reader.send(here, **{"role.lead": "", "role.scribe": "manager"})
    assert (reader.status, "Somebody fills it already." in text) == (400, True)
    reader.send(here, **{"role.lead": "owner", "role.scribe": "manager"})
    filled = dict(release.roles.values_list("role", "user__username"))
    assert filled == {"lead": "owner", "scribe": "manager"}
    assert Event.objects.filter(release_id=release.pk, verb="role.filled").count() == 2


def test_roles_are_not_offered_where_there_are_none_or_to_those_who_may_not(
    engine: ScriptedRunner, manager: User, owner: User
) -> None:
    release = plan(publish(KINDS), manager)
    reader = Reader(manager)
    assert "Fill roles" not in reader.open(page_of(release))
    assert "Its process has no roles." in reader.open(page_of(release, "roles/"))
    named = start(publish(KINDS.replace("phases:", "roles: {lead: {group: qa}}\nphases:", 1)), manager)
    other = Reader(owner)
    assert "Fill roles" not in other.open(page_of(named))
    other.send(page_of(named, "roles/"), **{"role.lead": "owner"})
    assert (other.status, named.roles.exists()) == (403, False)
