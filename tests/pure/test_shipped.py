"""The store activities that come with Pilothouse can be published, and their engines take what they say."""

from __future__ import annotations

import pytest

from activities.runners import BUILT_IN
from processes.catalogue import DocumentCatalogue
from processes.checks import check_activity
from processes.engines import work_faults
from processes.ready_made import FOLDER, Shipped, fitted, shipped


@pytest.mark.parametrize("ships", shipped().values(), ids=lambda ships: ships.provider)
def test_shipped_activities_can_be_published(ships: Shipped) -> None:
    provider, connection = ships.provider, ships.connection
    assert provider in BUILT_IN
    catalogue = DocumentCatalogue([{"kind": "Connection", "id": connection, "name": provider, "provider": provider}])
    assert ships.documents
    for document in ships.documents:
        report = check_activity(document, catalogue)
        assert (document["kind"], report.faults, report.warnings) == ("Activity", [], [])
        assert document["id"].startswith(f"{connection}-")
        assert document["automated"]["connection"] == connection
        assert document["description"]
        assert list(work_faults(provider, document["automated"], "automated")) == []


def test_every_file_is_read() -> None:
    assert len(shipped()) == len(list(FOLDER.glob("*.yaml")))


def test_another_connection_stands_in_the_name_and_nothing_else_changes() -> None:
    gate, wait = shipped()["prometheus"].documents[0], shipped()["pilothouse"].documents[0]
    assert fitted(gate, connection="prometheus") == gate
    other = fitted(gate, connection="prometheus-eu", prefix="eu-")
    assert (other["id"], other["name"]) == ("eu-prometheus-gate", "Monitoring gate (Prometheus, prometheus-eu)")
    assert other["automated"] == {**gate["automated"], "connection": "prometheus-eu"}
    assert fitted(wait, connection="x")["name"] == "Wait for another release (x)"
    assert gate["automated"]["connection"] == "prometheus"
