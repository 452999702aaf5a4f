"""What this app registers once at the start: kinds of documents, the store's checks and finders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Model

from activities import hooks
from activities import services as store
from activities.models import Activity, Connection
from config.errors import Fault
from processes import kinds, uses
from processes.checks import check_activity
from processes.engines import connection_faults
from processes.models import InputSet, Process, Resource
from processes.schema import structural_faults
from processes.services import input_sets, saving
from processes.store import DatabaseCatalogue


def register() -> None:
    """Registers everything; doing it twice changes nothing."""
    kinds.register(
        "Connection", order=10, model=Connection, apply=store.apply_connection, export=store.export_connection
    )
    kinds.register("Resource", order=20, model=Resource, apply=saving.apply_resource, export=saving.export_resource)
    kinds.register("Activity", order=30, model=Activity, apply=store.apply_activity, export=store.export_activity)
    kinds.register("Process", order=40, model=Process, apply=saving.apply_process, export=saving.export_process)
    kinds.register(
        "InputSet", order=50, model=InputSet, apply=input_sets.apply_input_set, export=input_sets.export_input_set
    )
    hooks.register_checks("Connection", saving=connection_faults)
    hooks.register_checks("Activity", saving=structural_faults, publishing=_activity_faults)
    hooks.register_finder(_users)


def _activity_faults(document: Mapping[str, Any]) -> list[Fault]:
    return check_activity(document, DatabaseCatalogue()).faults


def _users(thing: Model) -> list[str]:
    return [str(use) for use in uses.used_above_store(thing)]
