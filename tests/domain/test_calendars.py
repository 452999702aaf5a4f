"""What the database knows of calendars and of cadences that stand on others."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from processes.models import Process
from releases.calendars import calendars_in, groups_naming_calendar, groups_on_calendar, load_calendars, parents_of
from releases.models import Holiday, HolidayCalendar, ReleaseGroup
from tests.builders import MONDAY

pytestmark = pytest.mark.django_db
RULE = {"rrule": "FREQ=WEEKLY", "start": "2026-01-08T09:00", "timezone": "Europe/Berlin", "duration": "2d"}


def group(slug: str, cadence: dict[str, Any] | None) -> ReleaseGroup:
    process, _ = Process.objects.get_or_create(slug="small", defaults={"name": "Small"})
    body = {} if cadence is None else {"cadence": cadence}
    return ReleaseGroup.objects.create(slug=slug, name=slug.title(), process=process, body=body)


def calendar(slug: str, **days: str) -> HolidayCalendar:
    made = HolidayCalendar.objects.create(slug=slug, name=slug.title(), imported_at=MONDAY)
    for on, name in days.items():
        Holiday.objects.create(calendar=made, on=date.fromisoformat(on.strip("_").replace("_", "-")), name=name)
    return made


def on(slug: str) -> dict[str, Any]:
    return {**RULE, "holidays": {"calendar": slug}}


def derived(slug: str) -> dict[str, Any]:
    return {"timezone": "Europe/Berlin", "derive": {"group": slug, "offsets": ["-1 WE"]}}


def test_calendars_are_loaded_together(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    calendar("plant", _2026_12_24="Closed", _2026_12_31="Closed too")
    calendar("office", _2026_05_15="Bridge")
    calendar("other", _2026_06_01="Nobody asks")
    with django_assert_num_queries(1):
        found = load_calendars({"plant", "office", "DE-BY"})
    assert found == {
        "plant": {date(2026, 12, 24): "Closed", date(2026, 12, 31): "Closed too"},
        "office": {date(2026, 5, 15): "Bridge"},
    }
    with django_assert_num_queries(0):
        assert load_calendars([]) == {}


def test_a_derived_cadence_stands_on_a_chain_of_groups() -> None:
    group("yearly", RULE)
    group("monthly", derived("yearly"))
    weekend = group("weekend", derived("monthly"))
    assert parents_of(weekend.body["cadence"]) == {"monthly": derived("yearly"), "yearly": RULE}
    assert parents_of(RULE) == {}


@pytest.mark.parametrize("parent", ["missing", "bare"])
def test_a_chain_ends_where_there_is_no_cadence(parent: str) -> None:
    group("bare", None)
    assert parents_of(derived(parent)) == {}


def test_a_chain_that_bites_its_tail_ends() -> None:
    group("hen", derived("egg"))
    group("egg", derived("hen"))
    assert parents_of(derived("hen")) == {"hen": derived("egg"), "egg": derived("hen")}


def test_the_calendars_that_cadences_name() -> None:
    assert calendars_in([on("plant"), on("DE-BY"), on("plant"), RULE, derived("x")]) == {"plant", "DE-BY"}


def test_groups_depend_on_a_calendar_directly_or_through_another() -> None:
    group("named", on("plant"))
    group("below", derived("named"))
    group("further-below", derived("below"))
    group("elsewhere", on("office"))
    group("bare", None)
    slugs = {"named", "below", "further-below"}
    assert set(groups_on_calendar("plant").values_list("slug", flat=True)) == slugs
    assert list(groups_naming_calendar("plant").values_list("slug", flat=True)) == ["named"]
    assert not groups_on_calendar("nowhere").exists()


def test_groups_that_stand_on_each_other_are_found_once() -> None:
    group("hen", {**derived("egg"), "holidays": {"calendar": "plant"}})
    group("egg", derived("hen"))
    assert set(groups_on_calendar("plant").values_list("slug", flat=True)) == {"hen", "egg"}
