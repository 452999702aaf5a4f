"""From taken attempts to the orders of their engines: everything a call needs, read for many attempts at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.views.decorators.debug import sensitive_variables

from activities import secrets
from activities.canonical import secret_names
from activities.connecting import Revealed, resolved, value_of
from activities.engines import Engine, engine_for
from activities.runners import Order
from config.errors import PilothouseError, RunnerRefused
from releases.execution.attempts import Claim
from releases.execution.following import Line, Taken
from releases.tree import Key


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done about one attempt; `wrong` is why it cannot be."""

    taken: Taken
    claim: Claim
    order: Order | None = None
    engine: Engine | None = None
    wrong: PilothouseError | None = None

    @property
    def is_start(self) -> bool:
        """Whether the engine has not answered to a start yet."""
        return not self.taken.reference

    def is_late(self, now: datetime) -> bool:
        """Whether it has passed its timeout."""
        return self.taken.deadline_at is not None and now >= self.taken.deadline_at


@sensitive_variables()
def prepare(taken: Sequence[Taken], lines: Mapping[str, Line]) -> list[Task]:
    """Return what is to be done about each attempt, secrets revealed: one query, however many there are."""
    names = {name for line in lines.values() for name in _named(line)}
    names |= {name for one in taken for name in secret_names(one.work.get("parameters", {}))}
    revealed = secrets.reveal_all(names)
    return [_task(one, lines.get(one.connection), revealed) for one in taken]


def _named(line: Line) -> set[str]:
    return secret_names(line.settings) | ({line.secret} if line.secret else set())


@sensitive_variables()
def _task(taken: Taken, line: Line | None, revealed: Revealed) -> Task:
    claim = Claim(
        taken.release_id,
        taken.run_id,
        taken.number,
        Key(taken.node, taken.items),
        taken.work,
        taken.started_at,
        lease=taken.lease,
        log_offset=taken.log_offset,
    )
    try:
        if line is None or not line.provider:
            raise RunnerRefused(f"There is no connection '{taken.connection}'.")
        engine = engine_for(line.provider)
        if not (line.enabled or taken.reference or taken.again or taken.is_cancelled):
            raise RunnerRefused(f"The connection '{taken.connection}' is switched off.")
        return Task(taken, claim, _order(taken, line, claim.key, revealed), engine)
    except PilothouseError as error:
        return Task(taken, claim, wrong=error)


@sensitive_variables()
def _order(taken: Taken, line: Line, key: str, revealed: Revealed) -> Order:
    used: dict[str, str] = {}
    parameters = {name: _text(value, revealed, used) for name, value in taken.work.get("parameters", {}).items()}
    return Order(
        key,
        resolved(line.settings, revealed, used),
        taken.work,
        value_of(line.secret, revealed, used) if line.secret else None,
        parameters,
        tuple(used.values()),
        taken.work.get("timeout"),
        again=taken.again,
        started_at=taken.started_at,
        progress=taken.progress,
        log_parts=taken.log_parts,
    )


def _text(value: Any, revealed: Revealed, used: dict[str, str]) -> str:
    found = resolved(value, revealed, used)
    if found is None:
        return ""
    return found if isinstance(found, str) else json.dumps(found)
