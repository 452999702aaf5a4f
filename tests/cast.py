"""The people that tests are about: author, owner, manager, admin, and a stranger who may do nothing."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User

GROUPS = ("release-managers", "development", "qa", "devops", "security", "service-owners")
WORK = {
    "author": ("activities", "processes"),
    "manager": ("releases",),
}


@pytest.fixture
def groups(db: None) -> dict[str, Group]:
    """The groups that the samples name."""
    return {name: Group.objects.get_or_create(name=name)[0] for name in GROUPS}


@pytest.fixture
def author(db: None) -> User:
    """Models processes and the store: holds every permission of these two apps, model-wide."""
    return _person("author", *WORK["author"])


@pytest.fixture
def owner(groups: dict[str, Group]) -> User:
    """Owns phases as one of development and of qa; holds no permission."""
    person = _person("owner")
    person.groups.add(groups["development"], groups["qa"])
    return person


@pytest.fixture
def manager(groups: dict[str, Group]) -> User:
    """Plans, starts and operates releases: holds every permission of releases, and may see and start processes."""
    person = _person("manager", *WORK["manager"])
    names = ("view_process", "start_process", "operate_process", "view_inputset", "view_resource")
    person.user_permissions.add(*Permission.objects.filter(codename__in=names))
    person.groups.add(groups["release-managers"])
    return person


@pytest.fixture
def stranger(db: None) -> User:
    """Is signed in, and nothing more."""
    return _person("stranger")


@pytest.fixture
def admin(db: None) -> User:
    """May do everything."""
    return User.objects.create_superuser("admin", "admin@example.com", "secret")


def _person(name: str, *apps: str) -> User:
    person = User.objects.create_user(name, f"{name}@example.com", "secret")
    person.user_permissions.add(*Permission.objects.filter(content_type__app_label__in=apps))
    return person
