"""Who fills the roles of a release that exists: named, or replaced by somebody else, before its end."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from config.errors import Conflict, Fault, InvalidInput
from config.pages import once, page, person
from releases import policy
from releases.models import Release
from releases.services import planning
from releases.views import wizard
from releases.views.frame import find_release
from releases.views.wizard import Role


@page
@require_http_methods(["GET", "HEAD", "POST"])
def fill(request: HttpRequest, pk: int) -> HttpResponse:
    """Show who fills which role of a release; posted to, name those who do and go back to its page."""
    release = find_release(request, pk)
    policy.require_plan(request.user, release)
    filled = dict(release.roles.values_list("role", "user__username"))
    roles = [
        Role(
            name, str((terms or {}).get("group") or ""), request.POST.get(f"role.{name}", filled.get(name, "")).strip()
        )
        for name, terms in planning.roles_of(release).items()
    ]
    if request.method != "POST":
        return _show(request, release, roles)
    changed = [role for role in roles if role.typed != filled.get(role.name, "")]
    try:
        return redirect(once(request, lambda: _fill(request, release, changed)))
    except (InvalidInput, Conflict) as error:
        return _show(request, release, roles, wizard.faults_of(error), status=error.status)


def _show(
    request: HttpRequest, release: Release, roles: Sequence[Role], faults: Sequence[Fault] = (), *, status: int = 200
) -> HttpResponse:
    wizard.offer(roles)
    wrong = {fault.path: fault for fault in faults}
    keys = {role.key for role in roles}
    context = {
        "release": release,
        "role_boxes": [(role, wrong.get(role.key)) for role in roles],
        "faults": [fault for fault in faults if fault.path not in keys],
    }
    return render(request, "releases/roles.html", context, status=status)


@transaction.atomic
def _fill(request: HttpRequest, release: Release, roles: Sequence[Role]) -> str:
    """Name who fills these roles, all or none. Raises InvalidInput with every fault."""
    names = [role.typed for role in roles if "\0" not in role.typed]
    users = {user.username: user for user in User.objects.filter(username__in=names, is_active=True)}
    faults: list[Fault] = []
    for role in roles:
        user = users.get(role.typed)
        if not role.typed:
            faults.append(Fault(role.key, "Somebody fills it already.", "Name who does instead."))
        elif user is None:
            faults.append(Fault(role.key, f"There is nobody called '{role.typed[:150]}'."))
        else:
            faults += _faults_of(request, release, role, user)
    if faults:
        raise InvalidInput(faults)
    return reverse("releases:show", args=[release.pk])


def _faults_of(request: HttpRequest, release: Release, role: Role, user: User) -> list[Fault]:
    try:
        planning.fill_role(person(request), release, role=role.name, user=user, now=timezone.now())
    except InvalidInput as error:
        return [Fault(role.key, fault.message, fault.cure) for fault in error.faults]
    return []
