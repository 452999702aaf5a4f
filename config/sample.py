"""People and groups to try Pilothouse with. Only for the embedded default: the passwords stand here for all to read."""

from __future__ import annotations

from django.contrib.auth.models import Group, User
from django.db import transaction

PASSWORD = "pilothouse"  # noqa: S105 - a sample log-in, shown at every start
GROUPS = ("release-managers", "development", "qa", "devops", "security", "service-owners")
#: Name: (given name, family name, groups). Two service owners, because the system train asks for two approvals.
PEOPLE: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "mara": ("Mara", "Lind", ("release-managers",)),
    "dev": ("Devika", "Rao", ("development", "service-owners")),
    "quinn": ("Quinn", "Abara", ("qa",)),
    "otto": ("Otto", "Brandt", ("devops", "service-owners")),
    "sam": ("Sam", "Okafor", ("security",)),
}
ADMIN = "admin"


@transaction.atomic
def make_people() -> bool:
    """Makes the sample groups and people that are missing; returns whether this was the first time.

    People who exist keep their password, their groups and their name.
    """
    groups = {name: Group.objects.get_or_create(name=name)[0] for name in GROUPS}
    if User.objects.filter(username=ADMIN).exists():
        return False
    User.objects.create_superuser(ADMIN, f"{ADMIN}@example.com", PASSWORD)
    for name, (given, family, places) in PEOPLE.items():
        person = User.objects.create_user(
            name, f"{name}@example.com", PASSWORD, first_name=given, last_name=family, is_staff=True
        )
        person.groups.set(groups[place] for place in places)
    return True
