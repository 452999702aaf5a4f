"""The management commands about dates, as a person types them.

Weekly, Thursdays at nine in Berlin, from 4 June 2026 on, for two days. It is Monday, 1 June, noon UTC.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from guardian.shortcuts import assign_perm

from config.models import Event
from processes.services import apply
from releases.groups import export_group, save_group
from releases.models import BreakGlass, Release, ReleaseGroup
from releases.services import planning
from releases.services.freezing import lift_freeze, stop_the_line
from tests.trains import DOCUMENT, NOW, SHOP, publish_shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def train(groups: Any, monkeypatch: pytest.MonkeyPatch) -> ReleaseGroup:
    """The group, planned; the commands' clock stands at NOW."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    publish_shop()
    return save_group(None, DOCUMENT, now=NOW)[0]


def run(*words: str) -> list[str]:
    """What a command prints, by lines."""
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue().splitlines()


def nth(number: int) -> Release:
    """The group's release of this number, the first being 1."""
    return Release.objects.order_by("planned_start_at")[number - 1]


def with_rule(**changes: Any) -> dict[str, Any]:
    """The group's document with parts of its cadence changed."""
    return {**DOCUMENT, "cadence": {**DOCUMENT["cadence"], **changes}}


def written(tmp_path: Path, *documents: dict[str, Any]) -> str:
    """The path of a file that holds the documents."""
    file = tmp_path / "groups.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return str(file)


def test_the_next_dates_are_told_in_both_zones_with_their_marks_and_releases(manager: User) -> None:
    save_group(None, with_rule(rrule="FREQ=DAILY", start="2026-10-24T02:30"), now=NOW)
    said = run("next_dates", "train", "--zone", "Asia/Tokyo", "--count", "3")
    assert said[0].startswith("Train: Every day at 02:30 (Europe/Berlin)")
    assert said[1] == "2026-10-24 02:30 Europe/Berlin  2026-10-24 09:30 Asia/Tokyo"
    assert said[2].startswith("2026-10-25 02:30 Europe/Berlin  2026-10-25 09:30 Asia/Tokyo  [fold: ")
    assert len(said) == 4


def test_a_date_says_which_release_is_planned_for_it_and_how_that_stands(manager: User) -> None:
    planning.cancel_release(manager, nth(2), reason="no", now=NOW)
    said = run("next_dates", "train", "--count", "2")
    assert [line.rpartition("UTC  ")[2] for line in said[1:]] == [
        f"R-{nth(1).pk} scheduled",
        f"R-{nth(2).pk} cancelled",
    ]


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("next_dates", "nothing"), "There is no release group 'nothing'"),
        (("next_dates", "train", "--as", "stranger"), "or you may not see it"),
        (("next_dates", "train", "--zone", "Mars/Base"), "'Mars/Base' is not a time zone"),
        (("next_dates", "train", "--count", "0"), "no number from 1 to 200"),
        (("plan_groups", "nothing"), "There is no release group 'nothing'"),
        (("plan_groups", "train", "--as", "stranger"), "or you may not see it"),
        (("plan_difference", "-f", "/nowhere"), "cannot be read"),
        (("move_release", "0", "2026-06-05T09:00Z"), "There is no release 0"),
        (("skip_date", "train", "soon", "--reason", "x"), "This is no day"),
        (("skip_date", "train", "2026-06-05", "--reason", "x"), "Train has no date on 2026-06-05"),
        (("skip_date", "train", "2026-06-04", "--reason", "x", "--as", "stranger"), "or you may not see it"),
        (("freezes", "--after", "soon"), "This is no moment"),
        (("freezes", "--before", "2026-05-01T00:00Z"), "not after the beginning"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(stranger: User, words: tuple[str, ...], refusal: str) -> None:
    before = list(Release.objects.order_by("pk").values())
    with pytest.raises(CommandError, match=refusal):
        run(*words)
    assert list(Release.objects.order_by("pk").values()) == before


def test_planning_now_makes_what_is_missing_and_says_so() -> None:
    assert run("plan_groups") == ["train: no changes"]
    gone = nth(3)
    name = str(gone)
    gone.delete()
    said = run("plan_groups", "train")
    assert said[0] == "train: 1 change"
    assert said[1] == f"  created  R-{nth(3).pk} {name}: 2026-06-18 07:00 UTC"
    assert len(said) == 2


def test_who_may_only_see_a_group_does_not_plan_it(stranger: User) -> None:
    assign_perm("releases.view_releasegroup", stranger, ReleaseGroup.objects.get())
    nth(3).delete()
    for words in (("plan_groups", "train"), ("plan_groups",)):
        with pytest.raises(CommandError, match="change_releasegroup"):
            run(*words, "--as", "stranger")
    assert Release.objects.count() == 12


def test_the_difference_of_a_document_is_told_by_lines_and_nothing_is_saved(manager: User, tmp_path: Path) -> None:
    planning.edit_release(manager, nth(1), {"name": "Mine"}, now=NOW)
    before = list(Release.objects.order_by("pk").values())
    events = Event.objects.count()
    file = written(tmp_path, with_rule(rrule="FREQ=WEEKLY;INTERVAL=2;BYDAY=TH", start="2026-06-04T15:30"))
    said = run("plan_difference", "-f", file, "--as", "manager")
    assert said[:4] == [
        "train: changed",
        f"  kept     R-{nth(1).pk} Mine: 2026-06-04 07:00 UTC",
        f"  removed  R-{nth(2).pk} Train 2026-06-11: 2026-06-11 07:00 UTC",
        f"  changed  R-{nth(3).pk} Train 2026-06-18: 2026-06-18 07:00 UTC -> 2026-06-18 13:30 UTC",
    ]
    assert list(Release.objects.order_by("pk").values()) == before
    assert Event.objects.count() == events


def test_a_file_without_a_group_or_by_a_stranger_has_no_difference(stranger: User, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no ReleaseGroup in it"):
        run("plan_difference", "-f", written(tmp_path, yaml.safe_load(SHOP)))
    with pytest.raises(CommandError, match="change_releasegroup"):
        run("plan_difference", "-f", written(tmp_path, DOCUMENT), "--as", "stranger")


def test_moving_one_release_moves_just_that(manager: User) -> None:
    said = run("move_release", str(nth(2).pk), "2026-06-12T08:00+02:00", "--as", "manager")
    assert said == [f"R-{nth(2).pk} Train 2026-06-11: 2026-06-12 06:00 UTC"]
    assert nth(3).planned_start_at == datetime(2026, 6, 18, 7, tzinfo=UTC)


def test_a_dry_run_of_moving_all_tells_every_line_and_moves_nothing(manager: User) -> None:
    before = list(Release.objects.order_by("pk").values())
    words = ("move_release", str(nth(2).pk), "2026-06-12T08:00+02:00", "--scope", "all", "--as", "manager")
    said = run(*words, "--dry-run")
    assert said[1] == f"  changed  R-{nth(1).pk} Train 2026-06-05: 2026-06-04 07:00 UTC -> 2026-06-05 06:00 UTC"
    assert (len(said), said[-1]) == (15, "This was a dry run; nothing has changed.")
    assert list(Release.objects.order_by("pk").values()) == before
    assert run(*words) == said[:-1]
    assert nth(1).planned_start_at == datetime(2026, 6, 5, 6, tzinfo=UTC)


def test_a_stranger_moves_nothing(stranger: User) -> None:
    with pytest.raises(CommandError, match="you may not see it"):
        run("move_release", str(nth(1).pk), "2026-06-12T08:00+02:00", "--as", "stranger")


def test_a_date_is_skipped_whether_it_is_planned_yet_or_not(manager: User) -> None:
    said = run("skip_date", "train", "2026-06-11", "--reason", "holiday", "--as", "manager")
    assert said == [f"train 2026-06-11 09:00: R-{nth(2).pk} Train 2026-06-11 is cancelled"]
    assert (nth(2).state, nth(2).reason) == ("cancelled", "holiday")
    said = run("skip_date", "train", "2026-10-01", "--reason", "holiday", "--as", "manager")
    assert said == ["train 2026-10-01 09:00: the date is left out"]
    assert export_group(ReleaseGroup.objects.get())["cadence"]["exclude"] == ["2026-10-01"]


def test_a_release_is_started_in_somebodys_name(manager: User, stranger: User) -> None:
    number = str(nth(1).pk)
    with pytest.raises(CommandError, match="Add --as USER"):
        run("start_release", number)
    with pytest.raises(CommandError, match="you may not see it"):
        run("start_release", number, "--as", "stranger")
    assert run("start_release", number, "--as", "manager") == [f"R-{number} Train 2026-06-04: running"]
    assert nth(1).started_by_name == "manager"
    with pytest.raises(CommandError, match="only a draft or scheduled one starts"):
        run("start_release", number, "--as", "manager")


def test_a_frozen_release_starts_only_by_breaking_the_glass(manager: User) -> None:
    stop_the_line(None, scope={"everything": True}, reason="Outage", now=NOW)
    number = str(nth(1).pk)
    with pytest.raises(CommandError, match="applies until it is lifted"):
        run("start_release", number, "--as", "manager")
    said = run("start_release", number, "--as", "manager", "--break-glass", "The shop is down")
    assert said[0].endswith(": running")
    assert BreakGlass.objects.values_list("release", "reason", "by_name").get() == (
        int(number),
        "The shop is down",
        "manager",
    )


def test_freezes_are_listed_as_they_fall(manager: User, stranger: User) -> None:
    apply(
        None,
        """
kind: Freeze
id: month-end
name: Month end
scope: {processes: [shop]}
window: {rrule: "FREQ=MONTHLY;BYMONTHDAY=-1", start: 2026-01-31T18:00, timezone: Europe/Berlin, duration: 12h}
in_flight: hold
""",
        now=NOW,
    )
    line = stop_the_line(manager, scope={"everything": True}, reason="Outage", now=NOW - timedelta(hours=1))
    assert run("freezes", "--before", "2026-07-01T00:00Z", "--as", "manager") == [
        f"{line.slug}: from 2026-06-01 11:00 UTC until it is lifted (open now, hold) {line.name} [everything]",
        "month-end: from 2026-06-30 16:00 UTC until 2026-07-01 04:00 UTC (planned, hold) Month end [processes: shop]",
    ]
    lift_freeze(manager, line, now=NOW, reason="Back")
    said = run("freezes", "--after", "2026-06-01T00:00Z", "--before", "2026-06-02T00:00Z")
    assert f"until 2026-06-01 12:00 UTC (lifted by manager, hold) {line.name}" in said[0]
    assert run("freezes", "--as", "stranger") == ["No freeze applies then."]


def test_what_would_stop_releases_is_told_a_line_each() -> None:
    for reason in ("Outage", "Another"):
        stop_the_line(None, scope={"everything": True}, reason=reason, now=NOW)
    said = run("preflight", str(nth(1).pk))
    assert [line[:13] for line in said if "Line stopped" in line] == ["  stops frozen"[:13]] * 2
