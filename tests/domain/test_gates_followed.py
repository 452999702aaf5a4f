"""A gate that the real follower follows: what is recorded on the way, and what is handed on to the next look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from activities.models import Connection
from releases.models import Attempt
from tests.builders import run_of, start, work
from tests.engine_double import double
from tests.following import following as follows
from tests.following import until
from tests.monitoring_double import Monitoring

pytestmark = pytest.mark.django_db(transaction=True)

GATE = """
id: shop
phases:
  - id: watch
    activities:
      - id: soak
        automated:
          connection: watching
          pipeline: gate
          parameters: {condition: "< 5", hold_for: 3m, step: 1m}
        outputs: {verdict: {type: string}, worst: {type: string}}
"""


@pytest.fixture
def monitoring(settings: Any) -> Iterator[Monitoring]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    monitoring = Monitoring()
    with double(monitoring) as api:
        shape = {"url": api.url, "headers": {"X-Key": "mo-secret"}, "request": {"path": "/now"},
                 "value": "/checks/errors"}  # fmt: skip
        Connection.objects.create(slug="watching", name="Watching", provider="metrics", settings=shape)
        yield monitoring


def looked(monitoring: Monitoring, value: float) -> None:
    """Measure a value and have the gate look now."""
    monitoring.fill(value)
    looks = Attempt.objects.get().looks
    Attempt.objects.filter(status="running").update(follow_at=timezone.now())
    until(lambda: Attempt.objects.get().looks > looks)


def test_each_look_leaves_its_progress_and_goes_on_from_the_last(monitoring: Monitoring) -> None:
    release = start(GATE, now=timezone.now())
    work(release)
    with follows():
        until(lambda: Attempt.objects.get().reference)
        looked(monitoring, 1)
        looked(monitoring, 2)
        until(lambda: (Attempt.objects.get().progress or {}).get("text") == "Held 1m of 3m.")
    with follows():
        looked(monitoring, 3)
        looked(monitoring, 4)
        until(lambda: run_of(release, "watch/soak").state == "succeeded")
    attempt = Attempt.objects.get()
    assert attempt.progress is not None
    assert [value for _, value in attempt.progress["curve"]["points"]] == [1, 2, 3, 4]
    assert (attempt.outputs["verdict"], attempt.outputs["worst"]) == ("held", "4")
    assert [line[13:] for line in attempt.log.text.splitlines()] == [
        "Begins: must be < 5 for 3m.", "Holds.", "It held for 3m.",
    ]  # fmt: skip


def test_a_break_puts_it_on_hold_with_what_broke(monitoring: Monitoring) -> None:
    release = start(GATE, now=timezone.now())
    work(release)
    with follows():
        until(lambda: Attempt.objects.get().reference)
        looked(monitoring, 1)
        looked(monitoring, 9)
        until(lambda: run_of(release, "watch/soak").state == "on_hold")
    assert "9 at 2026-" in run_of(release, "watch/soak").error
    assert Attempt.objects.get().outputs["verdict"] == "broken"
