"""What stands in a release's way, said the same way by the start, the preflight and "why blocked". Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that would stop a release (`stops`) or disturb it: a stable code, words, how to mend it.

    `until` is when it passes by itself, if that is known; `who` names those who can mend it (`group:qa`, `user:ann`);
    `path` the input, activity or release it is about. `skips`, which is not stored: it is called off for it,
    rather than kept waiting.
    """

    code: str
    message: str
    cure: str = ""
    stops: bool = True
    path: str = ""
    until: datetime | None = None
    who: tuple[str, ...] = field(default=())
    skips: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored and answered."""
        return {
            "code": self.code,
            "stops": self.stops,
            "message": self.message,
            "cure": self.cure,
            "path": self.path,
            "until": None if self.until is None else self.until.isoformat(),
            "who": list(self.who),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return a finding as it was before it was stored."""
        until = stored.get("until")
        return cls(
            code=str(stored["code"]),
            message=str(stored.get("message") or ""),
            cure=str(stored.get("cure") or ""),
            stops=bool(stored.get("stops", True)),
            path=str(stored.get("path") or ""),
            until=datetime.fromisoformat(until) if until else None,
            who=tuple(stored.get("who") or ()),
        )
