"""The management commands about blueprints, as a person types them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.core.management.base import CommandError

from activities.models import Connection
from processes.document import load
from processes.models import Process, ProcessRevision

pytestmark = pytest.mark.django_db

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"
MULTI = str(EXAMPLES / "multi-service-release.yaml")
TRAIN = str(EXAMPLES / "system-train.yaml")


def test_apply_says_what_became_of_each_document(groups: dict[str, Group]) -> None:
    first, again = _run("apply", "-f", MULTI, "--publish"), _run("apply", "-f", MULTI)

    assert "Process multi-service-release: created (revision 1)" in first
    assert "ReleaseGroup weekly-train: created" in first
    assert {line.partition(": ")[2] for line in again.splitlines()} == {"unchanged"}


def test_apply_takes_several_files_and_standard_input(
    groups: dict[str, Group], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(Path(TRAIN).read_text()))

    said = _run("apply", "-f", MULTI, "-f", "-")

    assert "Process security-review: created" in said
    assert "Process hotfix: created" in said


def test_a_dry_run_changes_nothing(groups: dict[str, Group]) -> None:
    said = _run("apply", "-f", MULTI, "--publish", "--dry-run")

    assert "Process multi-service-release: created (revision 1)" in said
    assert not Process.objects.exists()


def test_bad_documents_end_in_one_line_per_fault(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("kind: Proces\nid: a\n---\nkind: Process\nid: b\nnam: B\nphases: []\n")

    with pytest.raises(CommandError) as raised:
        _run("apply", "-f", str(file))

    lines = str(raised.value).splitlines()
    assert lines[0] == "There are 3 faults:"
    assert "  Process b: nam: 'nam' is not a known key here. Did you mean name?" in lines
    assert raised.value.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("apply", "-f", "/nowhere/at-all.yaml"), "cannot be read"),
        (("apply", "-f", MULTI, "--as", "nobody"), "There is no person 'nobody'"),
        (("apply", "-f", MULTI, "--as", "stranger"), "You need the permission"),
        (("export", "nothing"), "There is no document 'nothing'"),
        (("export", "--kind", "Proces"), "Did you mean Process?"),
        (("publish", "nothing"), "There is no process 'nothing'"),
        (("publish", "--activity", "nothing"), "There is no store activity 'nothing'"),
        (("diff", "nothing", "1", "2"), "There is no process 'nothing'"),
        (("diff", "nothing", "zero"), "is not a revision"),
        (("check_process", "nothing"), "There is no process 'nothing'"),
        (("used_by", "Process", "nothing"), "There is no Process 'nothing'"),
        (("used_by", "Thing", "nothing"), "is not a kind of document"),
        (("used_by", "Secret", "nothing"), "There is no Secret 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    arguments: tuple[str, ...], words: str, stranger: User, groups: dict[str, Group]
) -> None:
    with pytest.raises(CommandError, match=words):
        _run(*arguments)


def test_export_gives_everything_or_what_is_named(groups: dict[str, Group]) -> None:
    _run("apply", "-f", TRAIN)

    assert len(load(_run("export"))) == 4
    assert [one["id"] for one in load(_run("export", "--kind", "Process"))] == ["hotfix", "system-train"]
    assert [one["kind"] for one in load(_run("export", "system-train"))] == ["Process", "ReleaseGroup"]
    assert [one["id"] for one in load(_run("export", "--kind", "ReleaseGroup", "system-train"))] == ["system-train"]


@pytest.fixture
def local(db: None) -> Connection:
    """The connection that the samples run on."""
    return Connection.objects.create(slug="local", name="Local", provider="local")


def test_publish_makes_revisions_of_activities_first_and_all_or_none(
    groups: dict[str, Group], local: Connection
) -> None:
    _run("apply", "-f", TRAIN)
    with pytest.raises(CommandError):
        _run("publish", "hotfix")

    said = _run("publish", "hotfix", "--activity", "run-job")

    assert said.splitlines() == ["Activity run-job@1", "Process hotfix@1"]
    assert "hotfix@1 (unchanged)" in _run("publish", "hotfix")
    assert ProcessRevision.objects.count() == 1


def test_diff_compares_revisions_and_by_default_the_latest_with_the_draft(
    groups: dict[str, Group], local: Connection, tmp_path: Path
) -> None:
    _run("apply", "-f", TRAIN, "--publish")
    assert _run("diff", "hotfix") == "Nothing changed.\n"
    edited = tmp_path / "edited.yaml"
    edited.write_text(Path(TRAIN).read_text().replace("Review the fix.", "Review it well."))
    _run("apply", "-f", str(edited), "--publish")

    assert "'Review the fix.' to 'Review it well.'" in _run("diff", "hotfix", "1", "2")
    with pytest.raises(CommandError, match="no revision 3"):
        _run("diff", "hotfix", "1", "3")


def test_check_says_ok_or_every_fault_and_publishes_nothing(groups: dict[str, Group], local: Connection) -> None:
    _run("apply", "-f", TRAIN)

    with pytest.raises(CommandError, match="run-job"):
        _run("check_process")
    _run("publish", "--activity", "run-job")

    assert _run("check_process", "hotfix") == "hotfix: ok\n"
    assert not ProcessRevision.objects.exists()


def test_used_by_lists_users_or_says_there_are_none(groups: dict[str, Group]) -> None:
    _run("apply", "-f", MULTI)

    assert "multi-service-release" in _run("used_by", "Activity", "set-flag")
    assert _run("used_by", "Freeze", "year-end") == "Nothing uses it.\n"


def _run(*arguments: str) -> str:
    said = io.StringIO()
    call_command(*arguments, stdout=said, stderr=io.StringIO())
    return said.getvalue()
