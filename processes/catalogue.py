"""What a document may refer to: the store's activities, other processes, connections, resources, groups, people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from config.errors import Fault


@dataclass(frozen=True, slots=True)
class Published:
    """One published revision of an activity or a process: its document, number and digest."""

    document: Mapping[str, Any]
    revision: int
    digest: str = ""


class Catalogue(Protocol):
    """The published things a process may name; None means there is no such thing."""

    def activity(self, slug: str, revision: int | None = None) -> Published | None:
        """A store activity: the given revision, or the latest published one."""

    def process(self, slug: str, revision: int | None = None) -> Published | None:
        """A process: the given revision, or the latest published one."""

    def activities(self) -> Collection[str]:
        """The ids of all published store activities, for did-you-mean."""

    def processes(self) -> Collection[str]:
        """The ids of all published processes, for did-you-mean."""

    def connections(self) -> Collection[str]:
        """The ids of all connections."""

    def work_faults(self, block: Mapping[str, Any], path: str) -> Iterable[Fault]:
        """What the engine of an automated block's connection would not take."""

    def resources(self) -> Mapping[str, str]:
        """The type (service, environment) of every resource, by id."""

    def groups(self) -> Mapping[str, Collection[str]]:
        """The log-in names of the active people in every group, by the group's name."""

    def people(self) -> Collection[str]:
        """The log-in names of all active people."""


@dataclass
class DocumentCatalogue:
    """A catalogue over plain documents, each as revision 1: for a file checked by itself and for tests."""

    documents: Iterable[Mapping[str, Any]]
    known_groups: Mapping[str, Collection[str]] = field(default_factory=dict)
    known_people: Collection[str] = ()

    def __post_init__(self) -> None:
        """Sorts the documents by kind and id."""
        self._found: dict[str, dict[str, Mapping[str, Any]]] = {}
        for document in self.documents:
            self._found.setdefault(str(document["kind"]), {})[str(document["id"])] = document

    def activity(self, slug: str, revision: int | None = None) -> Published | None:
        """The activity with this id, when revision 1 or none is asked for."""
        return self._published("Activity", slug, revision)

    def process(self, slug: str, revision: int | None = None) -> Published | None:
        """The process with this id, when revision 1 or none is asked for."""
        return self._published("Process", slug, revision)

    def activities(self) -> Collection[str]:
        """All ids of activities."""
        return self._of("Activity").keys()

    def processes(self) -> Collection[str]:
        """All ids of processes."""
        return self._of("Process").keys()

    def connections(self) -> Collection[str]:
        """All ids of connections."""
        return self._of("Connection").keys()

    def work_faults(self, block: Mapping[str, Any], path: str) -> Iterable[Fault]:  # noqa: ARG002
        """Nothing: a file by itself knows no engines."""
        return ()

    def resources(self) -> Mapping[str, str]:
        """The types of all resources by id."""
        return {slug: str(document.get("type", "service")) for slug, document in self._of("Resource").items()}

    def groups(self) -> Mapping[str, Collection[str]]:
        """The groups given."""
        return self.known_groups

    def people(self) -> Collection[str]:
        """The people given."""
        return self.known_people

    def _of(self, kind: str) -> dict[str, Mapping[str, Any]]:
        return self._found.get(kind, {})

    def _published(self, kind: str, slug: str, revision: int | None) -> Published | None:
        document = self._of(kind).get(slug)
        return Published(document, 1) if document is not None and revision in (None, 1) else None
