"""One of everything that has an address in the API, for walks over all addresses."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.utils import timezone

from activities.models import Activity, ActivityRevision, Secret
from config.tokens import create_token
from processes.models import InputSet, Process, Resource
from releases.models import ActivityRun, BreakGlass, Evidence, FreezeException, HolidayCalendar, ReleaseGroup, TaskRun
from releases.services.feeds import create_feed
from releases.services.freezing import stop_the_line
from releases.services.saved_views import save_view
from tests.builders import MONDAY, scripted_connection, start

PROCESS = """
id: small
inputs: {}
phases:
  - id: plan
    name: Plan
    owners: [group:qa]
    activities:
      - {id: sign, manual: {tasks: [{id: look, name: Look, groups: [qa]}]}}
"""


def make_things(of: User) -> dict[str, str]:
    """Make one of everything; return the ids by the collection they belong to. The token is `of` somebody's."""
    release = start(PROCESS)
    run = ActivityRun.objects.get()
    process = Process.objects.get()
    activity = Activity.objects.create(slug="store", name="Store", kind="manual", draft={})
    ActivityRevision.objects.create(
        activity=activity, number=1, document={}, digest="x", published_at=MONDAY, published_by_name="author"
    )
    file = ContentFile(b"x", "x")
    evidence = Evidence.objects.create(activity_run=run, attempt=1, file=file, name="x", size=1, sha256="x", at=MONDAY)
    token, _ = create_token(of, name="mine", scopes=["read"], now=timezone.now())
    freeze = stop_the_line(None, scope={"processes": ["small"]}, reason="Outage", now=MONDAY)
    exception = FreezeException.objects.create(
        freeze=freeze, release=release, reason="Fix", expires_at=MONDAY, asked_at=MONDAY, asked_by_name="author"
    )
    debt = BreakGlass.objects.create(release=release, reason="Outage", at=MONDAY, by_name="author")
    return {
        "activities": activity.slug,
        "connections": scripted_connection().slug,
        "pipelines": "deploy.yml",
        "secrets": Secret.objects.create(name="key", ciphertext=b"", updated_at=MONDAY).name,
        "processes": process.slug,
        "input-sets": InputSet.objects.create(slug="usual", name="Usual", process=process).slug,
        "resources": Resource.objects.create(slug="cart", name="Cart", type="service").slug,
        "release-groups": ReleaseGroup.objects.create(slug="train", name="Train", process=process).slug,
        "holiday-calendars": HolidayCalendar.objects.create(slug="plant", name="Plant", imported_at=MONDAY).slug,
        "calendar-feeds": str(create_feed(of, kind="mine", now=timezone.now())[0].pk),
        "saved-views": str(save_view(of, name="Mine", query="state=draft", now=timezone.now()).pk),
        "freezes": freeze.slug,
        "freeze-exceptions": str(exception.pk),
        "break-glass": str(debt.pk),
        "releases": str(release.pk),
        "phase-runs": str(run.phase_id),
        "activity-runs": str(run.pk),
        "tokens": str(token.pk),
        "revisions": "1",
        "evidence": str(evidence.pk),
        "tasks": TaskRun.objects.get().slug,
    }
