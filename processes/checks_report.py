"""What publish checks find, and the places they look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from config.errors import Fault, InvalidInput
from processes.expressions_check import Scope
from processes.graph import Graph


@dataclass
class Report:
    """Faults stop a publish; warnings are shown and do not. In the order of finding, each once."""

    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)

    def fault(self, path: str, message: str, cure: str = "") -> None:
        """Notes one fault."""
        self.add([Fault(path, message, cure)])

    def warn(self, path: str, message: str, cure: str = "") -> None:
        """Notes one warning."""
        warning = Fault(path, message, cure)
        if warning not in self.warnings:
            self.warnings.append(warning)

    def add(self, faults: Iterable[Fault]) -> None:
        """Notes several faults."""
        self.faults += [fault for fault in dict.fromkeys(faults) if fault not in self.faults]

    def require(self) -> None:
        """Raises InvalidInput with all faults when there is one."""
        if self.faults:
            raise InvalidInput(self.faults)


@dataclass(frozen=True, slots=True)
class Place:
    """One spot of a document: its path, the names expressions may use there, and the moment they are evaluated.

    `point` is the graph's point at which the value is needed; None when everything has settled by then, or when the
    spot cannot name phases at all.
    """

    path: str
    scope: Scope
    graph: Graph | None = None
    point: str | None = None

    def at(self, *steps: str | int) -> Place:
        """The place some keys and indexes further in."""
        path = self.path
        for step in steps:
            path = f"{path}[{step}]" if isinstance(step, int) else f"{path}.{step}" if path else step
        return replace(self, path=path)

    def seeing(self, scope: Scope) -> Place:
        """The same place with other names."""
        return replace(self, scope=scope)
