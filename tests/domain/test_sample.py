"""What the sample looks for before it plays, and what the terminal says of what is there."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from activities.secrets import set_secret
from config.demo import play, welcome
from config.permissions import allowed
from config.sample import GROUPS, make_people
from processes.services import apply
from releases.models import Release
from releases.services import running
from releases.services.preflight import preflight
from releases.services.starting import preview_start
from tests import builders

pytestmark = pytest.mark.django_db

ASKS_QA = """
id: multi-service-release
phases:
  - id: check
    name: Check
    owners: [group:qa]
    activities:
      - {id: sign, name: Sign it, manual: {approval: {rules: [{group: qa}]}}}
"""


def a_release(version: str) -> Release:
    release = builders.start(ASKS_QA)
    Release.objects.filter(pk=release.pk).update(name=play.NAME, version=version)
    release.refresh_from_db()
    return release


def test_there_is_something_to_play_until_both_releases_have_started() -> None:
    assert not play.is_complete()
    first = a_release(play.FIRST)
    assert not play.is_complete()
    a_release(play.SECOND)
    assert not play.is_complete(), "the first one still runs, and nothing hinders it"
    running.abort_release(None, first, now=timezone.now(), reason="Somebody had enough.")
    assert play.is_complete()


def test_a_first_release_that_somebody_paused_is_left_to_them() -> None:
    first = a_release(play.FIRST)
    a_release(play.SECOND)
    running.pause_release(None, first, now=timezone.now())
    assert play.is_complete()


def test_commands_must_be_allowed_and_the_people_there(settings: Any) -> None:
    make_people()
    assert play.why_not() == ""
    User.objects.filter(username="quinn").update(is_active=False)
    assert play.why_not() == "It needs the sample people, and quinn cannot sign in."
    settings.LOCAL_PROVIDER = False
    assert "PILOTHOUSE_LOCAL_PROVIDER=true" in play.why_not()


def test_every_log_in_is_told_with_what_waits_for_it() -> None:
    make_people()
    release = a_release("7.0.0")
    lines = list(welcome.log_ins("http://x"))
    at = lines.index("  quinn    Quinn Abara, qa")
    assert lines[at + 1].strip() == f"may sign “Sign it” in release {release.pk}"
    assert lines[-1].strip().endswith("http://x/admin/")
    User.objects.filter(username="quinn").delete()
    assert not any("quinn" in line for line in welcome.log_ins("http://x"))


def test_the_newest_releases_are_told_and_the_others_counted() -> None:
    assert list(welcome.what_is_there()) == []
    for number in range(welcome.MOST_RELEASES + 2):
        a_release(f"{number}.0.0")
    lines = list(welcome.what_is_there())
    assert lines[0].endswith("Multi-service release 6.0.0: running, waiting")
    assert lines[-1].strip() == "and 2 more"


def test_the_sample_people_may_do_their_work_and_no_more() -> None:
    make_people()
    mara, dev, quinn = (User.objects.get(username=name) for name in ("mara", "dev", "quinn"))
    assert allowed(mara, "processes.start_process")
    assert not allowed(mara, "processes.publish_process")
    assert allowed(dev, "processes.publish_process")
    assert not allowed(quinn, "processes.start_process")
    assert all(allowed(person, "processes.view_process") for person in (mara, dev, quinn))
    assert allowed(mara, "activities.use_secret")
    assert not allowed(quinn, "activities.view_secret")


def test_a_group_that_exists_keeps_its_permissions() -> None:
    make_people()
    manager = User.objects.get(username="mara")
    manager.groups.get().permissions.clear()
    make_people()
    assert not User.objects.get(username="mara").has_perm("processes.start_process")
    assert Permission.objects.filter(group__name__in=GROUPS).exists()


def test_nothing_that_is_planned_ahead_lacks_a_value(groups: Any, admin: User) -> None:
    for name in play.EXAMPLES:
        text = (settings.BASE_DIR / "docs" / "examples" / name).read_text(encoding="utf-8")
        apply(admin, text, now=builders.MONDAY, publish=True)
    set_secret(admin, play.SECRET, "x")
    planned = Release.objects.filter(state="scheduled").order_by("planned_start_at")
    trains = [release for release in planned if release.group and release.group.slug == "system-train"]
    assert len(trains) > 3
    for release in [*trains[:3], *planned[:3]]:
        assert "inputs" not in {finding.code for finding in preflight(release, now=builders.MONDAY)}
    shown = preview_start(trains[0], {}, now=builders.MONDAY).resolved.shown
    assert f"release/{trains[0].version}" in [line["value"] for line in shown if line["name"] == "branch"]
