"""People and groups to try Pilothouse with. Only for the embedded default: the passwords stand here for all to read."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission, User
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
#: What every group may look at, and what some may do beyond the steps that processes give them.
EVERYBODY = (
    "view_process", "view_inputset", "view_resource", "view_activity", "view_connection", "view_releasegroup",
    "view_freeze", "view_release",
)  # fmt: skip
PERMISSIONS: dict[str, tuple[str, ...]] = {
    "release-managers": (
        "start_process", "operate_process", "add_inputset", "change_inputset", "add_releasegroup",
        "change_releasegroup", "operate_releasegroup", "add_freeze", "change_freeze", "view_event", "view_secret",
        "use_secret", "break_glass_release",
    ),
    "development": (
        "add_process", "change_process", "publish_process", "add_activity", "change_activity", "publish_activity",
        "add_inputset", "change_inputset", "add_resource", "change_resource",
    ),
    "devops": ("add_connection", "change_connection", "view_secret", "change_secret", "grant_freezeexception"),
}  # fmt: skip


@transaction.atomic
def make_people() -> bool:
    """Makes the sample groups and people that are missing; returns whether this was the first time.

    Groups and people who exist stay as they are.
    """
    groups = {name: _group(name) for name in GROUPS}
    if User.objects.filter(username=ADMIN).exists():
        return False
    hashed = User.objects.create_superuser(ADMIN, f"{ADMIN}@example.com", PASSWORD).password
    for name, (given, family, places) in PEOPLE.items():
        # The same password for all, hashed once: that takes most of a second.
        person = User.objects.create(
            username=name,
            email=f"{name}@example.com",
            password=hashed,
            first_name=given,
            last_name=family,
            is_staff=True,
        )
        person.groups.set(groups[place] for place in places)
    return True


def _group(name: str) -> Group:
    group, is_new = Group.objects.get_or_create(name=name)
    if is_new:
        apps = ("activities", "config", "processes", "releases")
        wanted = (*EVERYBODY, *PERMISSIONS.get(name, ()))
        group.permissions.set(Permission.objects.filter(codename__in=wanted, content_type__app_label__in=apps))
    return group
