"""The store activities that come with Pilothouse can be published, and their engines take what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from processes.catalogue import DocumentCatalogue
from processes.checks import check_activity
from processes.document import load
from processes.engines import work_faults

SHIPPED = sorted((Path(__file__).parents[2] / "processes" / "shipped").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_activities_can_be_published(path: Path) -> None:
    provider = path.stem
    catalogue = DocumentCatalogue([{"kind": "Connection", "id": provider, "name": provider, "provider": provider}])
    documents = load(path.read_text())
    assert documents
    for document in documents:
        report = check_activity(document, catalogue)
        assert (document["kind"], report.faults, report.warnings) == ("Activity", [], [])
        assert document["id"].startswith(f"{provider}-")
        assert document["automated"]["connection"] == provider
        assert list(work_faults(provider, document["automated"], "automated")) == []
