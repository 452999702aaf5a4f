"""What people wrote in an order comes back in that order: from the database, from export, in a release's tree."""

from __future__ import annotations

import pytest
from django.utils import timezone

from processes import services
from processes.expansion import expand
from processes.models import Process, ProcessRevision
from processes.store import DatabaseCatalogue

pytestmark = pytest.mark.django_db

WRITTEN = ["zebra", "a", "much-longer-than-the-others", "bb", "ape"]
TEXT = f"""
kind: Process
id: ordered
name: Ordered
inputs: {{{", ".join(f"{name}: {{type: string}}" for name in WRITTEN)}}}
phases:
  - id: ask
    name: Ask
    activities:
      - {{id: form, manual: {{form: {{{", ".join(f"{name}: {{type: string}}" for name in WRITTEN)}}}}}}}
"""


def test_inputs_and_forms_keep_the_order_they_were_written_in() -> None:
    services.apply(None, TEXT, now=timezone.now(), publish=True)
    draft = services.export_process(Process.objects.get())
    revision = ProcessRevision.objects.get()
    for document in (draft, revision.document):
        assert list(document["inputs"]) == WRITTEN
        assert list(document["phases"][0]["activities"][0]["manual"]["form"]) == WRITTEN
    tree = expand(revision.document, 1, DatabaseCatalogue())
    assert list(tree["nodes"][0]["inputs"]) == WRITTEN


def test_what_is_saved_again_keeps_its_order_too() -> None:
    services.apply(None, TEXT, now=timezone.now())
    services.apply(None, TEXT.replace("name: Ordered", "name: Changed"), now=timezone.now())
    assert list(services.export_process(Process.objects.get())["inputs"]) == WRITTEN
