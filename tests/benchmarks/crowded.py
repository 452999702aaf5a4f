"""How long pages take in a crowded database: the server's time and the number of queries, for three kinds of people."""

from __future__ import annotations

import statistics
import time
from typing import Any

import psutil

from tests.benchmarks.history import analyze

WARM, TIMES = 3, 15
#: The milliseconds of processor time beyond which a page is marked.
MOST = 100
LISTS = (
    "", "?state=finished&sort=-finished", "?q=release+77", "?sort=name", "?health=on_hold", "?who=me",
    "?sort=-finished&after=5000~2026-01-01T00:00:00%2B00:00",
)  # fmt: skip
CALENDAR = ("", *(f"?view={view}" for view in ("week", "day", "quarter", "list")))
ELSEWHERE = ("/notices/", "/audit/", "/freezes/", "/environments/", "/processes/", "/store/")


def measure(started: int = 10_000, people: int = 2_000) -> None:
    """Fill an empty database and print a line for each page and person."""
    from django.contrib.auth.models import User  # noqa: PLC0415 - Django has only now been set up
    from django.core.management import call_command  # noqa: PLC0415

    from tests.benchmarks import crowd  # noqa: PLC0415

    call_command("collectstatic", interactive=False, verbosity=0)
    since = time.monotonic()
    crowd.fill(started, people)
    analyze()
    print(f"{started} releases, {started * 40} activities, {people} people made in {time.monotonic() - since:.0f} s")
    report(
        {
            "one of the crowd": User.objects.get(username="person-7"),
            "sees everything": _seer(),
            "superuser": User.objects.create_superuser("root", "", "root"),
        }
    )


def report(people: dict[str, Any]) -> None:
    """Print how long each page takes for each of these people."""
    for who, user in people.items():
        print(f"{who}:")
        for address in _addresses(user):
            status, queries, times, spent = _timed(user, address)
            middle, late = statistics.median(times), sorted(times)[int(len(times) * 0.95)]
            mark = "  <-- slow" if spent > MOST else ""
            words = f"median {middle:6.1f} ms, p95 {late:6.1f}, processor {spent:6.1f}, {queries} queries"
            print(f"  {address:<58} {status} {words}{mark}")


def _seer() -> Any:
    """Return somebody who is in no group but may see and operate every release."""
    from django.contrib.auth.models import Permission, User  # noqa: PLC0415

    user = User.objects.create(username="seer")
    names = ("view_release", "operate_release", "view_releasegroup", "view_process", "view_event")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return user


def _addresses(user: Any) -> list[str]:
    from releases import policy  # noqa: PLC0415
    from releases.models import ActivityRun, ReleaseGroup  # noqa: PLC0415
    from releases.reading.groups import visible_groups  # noqa: PLC0415

    release = policy.visible_releases(user).filter(state="running").order_by("-pk")[0]
    planned = policy.visible_releases(user).filter(state="scheduled").order_by("pk").first()
    run = ActivityRun.objects.filter(release=release, state="waiting")[0]
    group: ReleaseGroup = visible_groups(user)[0]
    page = f"/releases/{release.pk}/"
    found = ["/", "/home/waiting/", *(f"/releases/{query}" for query in LISTS), f"/releases/?group={group.slug}"]
    found += [page, f"{page}activities/{run.pk}/", f"/calendar/releases/{release.pk}/"]
    found += [f"{page}{part}/" for part in ("events", "values", "changes", "timeline", "wall", "runbook")]
    found += ["/groups/", f"/groups/{group.slug}/", "/releases/new/"]
    found += [f"/releases/{planned.pk}/"] if planned else []
    found += [*(f"/calendar/{query}" for query in CALENDAR), *ELSEWHERE]
    return [*found, "/api/v1/releases/", "/api/v1/releases/?health=on_hold", "/api/v1/me/"]


def _timed(user: Any, address: str) -> tuple[int, int, list[float], float]:
    """Return the status, the number of queries, the milliseconds of each request, and those of the processor."""
    from django.db import connection  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    client, count, times, status, spent = Client(SERVER_NAME="localhost"), 0, [], 0, 0.0
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def counted(execute: Any, *args: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*args)

    for number in range(WARM + TIMES):
        if number == WARM:
            spent = _processor_seconds()
        count, begun = 0, time.perf_counter()
        with connection.execute_wrapper(counted):
            status = client.get(address).status_code
        if number >= WARM:
            times.append((time.perf_counter() - begun) * 1000)
    return status, count, times, (_processor_seconds() - spent) / TIMES * 1000


def _processor_seconds() -> float:
    """Return the processor time that this process and its connection's PostgreSQL have used: waiting does not count."""
    from django.db import connection  # noqa: PLC0415

    connection.ensure_connection()
    backend = psutil.Process(connection.connection.info.backend_pid).cpu_times()
    return time.process_time() + float(backend.user + backend.system)
