"""The beat's one row and the sample people."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import Group, User
from django_celery_beat.models import PeriodicTask

from config.beat import CLEAN_UP, EXTEND, TICK, ensure_clean_up, ensure_rows, ensure_tick
from config.celery import app
from config.sample import GROUPS, PASSWORD, PEOPLE, make_people

pytestmark = pytest.mark.django_db


def test_beat_has_one_tick_every_second_however_often_it_is_ensured() -> None:
    ensure_tick()
    PeriodicTask.objects.filter(task=TICK).update(enabled=False)
    ensure_tick()
    tick = PeriodicTask.objects.get(task=TICK)
    assert tick.enabled
    assert (tick.interval.every, tick.interval.period) == (1, "seconds")


def test_beat_cleans_up_every_hour() -> None:
    ensure_clean_up()
    ensure_clean_up()
    row = PeriodicTask.objects.get(task=CLEAN_UP)
    assert (row.interval.every, row.interval.period) == (1, "hours")
    app.loader.import_default_modules()
    assert {CLEAN_UP, TICK} <= set(app.tasks)


def test_beat_keeps_overdue_bookings_every_minute_and_every_row_is_made_at_once() -> None:
    ensure_rows()
    row = PeriodicTask.objects.get(task=EXTEND)
    assert (row.interval.every, row.interval.period) == (1, "minutes")
    app.loader.import_default_modules()
    assert {CLEAN_UP, TICK, EXTEND} <= set(app.tasks)
    assert set(PeriodicTask.objects.values_list("task", flat=True)) == {CLEAN_UP, TICK, EXTEND}


def test_the_sample_has_somebody_in_every_group_and_two_service_owners() -> None:
    assert make_people()
    assert set(Group.objects.values_list("name", flat=True)) == set(GROUPS)
    assert all(group.user_set.exists() for group in Group.objects.all())
    assert User.objects.filter(groups__name="service-owners").count() == 2
    assert list(User.objects.filter(is_superuser=True).values_list("username", flat=True)) == ["admin"]


def test_every_sample_person_can_sign_in() -> None:
    make_people()
    for name in (*PEOPLE, "admin"):
        assert authenticate(username=name, password=PASSWORD) is not None


def test_a_second_start_leaves_changed_people_alone() -> None:
    make_people()
    mara = User.objects.get(username="mara")
    mara.groups.clear()
    mara.set_password("changed")
    mara.save()
    assert not make_people()
    mara.refresh_from_db()
    assert mara.check_password("changed")
    assert not mara.groups.exists()
