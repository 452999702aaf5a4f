"""The main job: `make run` on an empty folder shows a release from planning to documentation, and keeps it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

from config.embedded import State
from config.sample import PASSWORD
from tests import ready_made
from tests.system.installation import PATIENCE, Installation, processes_of, wait_until

pytestmark = pytest.mark.system

DONE = "Pilothouse is at"
#: What the demo has begun; what groups plan ahead is left out.
BEGUN = "state=running&state=succeeded"


class Person(httpx.Client):
    """A sample person who signs in on the page and then looks at the API, as a browser would."""

    def __init__(self, installation: Installation, name: str) -> None:
        super().__init__(base_url=f"http://127.0.0.1:{installation.port}", trust_env=False, timeout=30)
        self.get("/sign-in/")
        fields = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": self.cookies["csrftoken"]}
        assert self.post("/sign-in/", data=fields).status_code == 302

    def read(self, path: str) -> Any:
        answer = self.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "state")
    made.environment["PILOTHOUSE_LOCAL_PROVIDER"] = "true"
    yield made
    if made.process and made.process.poll() is None:
        made.stop(signal.SIGKILL)


def shown_until(installation: Installation, words: str) -> str:
    wait_until(lambda: words in installation.output(), f"the terminal shows: {words}")
    return installation.output()


def test_the_first_start_shows_a_release_to_its_end_and_the_second_start_finds_it(installation: Installation) -> None:
    # Cut off in the middle: the next start goes on from there.
    installation.begin()
    shown_until(installation, "✓ Build / Cart")
    assert installation.stop(signal.SIGINT) == 0
    assert not processes_of(installation.folder)

    installation.start()
    shown = installation.output()
    assert ", Multi-service release 1.0.0: it goes on" in shown
    assert " succeeded in " in shown
    for line in ("otto approved", "Security / Verdict / Accept", "✓ Monitoring / Watch", "dev did “Publish the notes”"):
        assert line in shown
    assert "\x1b" not in shown.partition(DONE)[0]

    mara, sam = Person(installation, "mara"), Person(installation, "sam")
    second, first = mara.read(f"releases/?{BEGUN}")["results"]
    planned = mara.read("releases/?state=scheduled")["results"]
    assert {one["group"] for one in planned} == {"weekly-train", "system-train"}
    assert f"{len(planned)} more are planned ahead" in shown
    assert (first["state"], first["version"], first["started_by"]) == ("succeeded", "1.0.0", "mara")
    assert (second["state"], second["health"], second["version"]) == ("running", "waiting", "1.1.0")
    assert [thing["release"] for thing in mara.read("me/")["waiting"]] == [second["id"]]
    assert sam.read("me/")["waiting"] == []
    signed = [event for event in all_events(mara, first["id"]) if event["verb"] == "sign_off.approved"]
    assert {event["actor"] for event in signed} == {"sam", "quinn", "otto"}
    assert installation.stop(signal.SIGINT) == 0
    assert not processes_of(installation.folder)

    installation.start()
    again = installation.output()
    assert "has started" not in again
    assert "Multi-service release 1.0.0: succeeded" in again
    assert len(Person(installation, "mara").read(f"releases/?{BEGUN}")["results"]) == 2
    assert installation.stop(signal.SIGINT) == 0
    assert not processes_of(installation.folder)


def all_events(person: Person, release: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = person.read(f"releases/{release}/events/?page_size=200")["results"]
    return found


def test_a_first_release_that_fails_is_told_in_one_sentence_and_nothing_stays(installation: Installation) -> None:
    ready_made.furnish(State(installation.folder), settings.STATE)
    installation.environment["PATH"] = ""
    installation.begin()
    assert installation.process is not None
    status = installation.process.wait(timeout=PATIENCE)
    last = installation.log.read_text().strip().splitlines()[-1]
    assert status == 1
    assert last.startswith("The first release did not succeed. Build / ")
    assert not processes_of(installation.folder)


def test_make_run_passes_its_arguments_on() -> None:
    makefile = subprocess.run(
        ["make", "--dry-run", "run", "ARGS=--no-demo"], capture_output=True, text=True, check=True
    ).stdout
    assert "manage.py run --no-demo" in makefile
