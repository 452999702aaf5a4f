"""Every error Pilothouse raises on purpose, sorted by what the caller does next.

A class's docstring is its default message; `code` is the stable name that the API shows and clients may match on.
"The work failed" is an Outcome, never one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: where it is, what is wrong, how to mend it."""

    path: str
    message: str
    cure: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        cure = f" {self.cure}" if self.cure else ""
        return f"{where}{self.message}{cure}"


class PilothouseError(Exception):
    """Something went wrong."""

    code = "error"
    status = 500

    def __init__(self, message: str = "", *, code: str = "") -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        if code:
            self.code = code
        super().__init__(self.message)


class InvalidInput(PilothouseError):
    """The input has faults; mend them and send it again."""

    code = "invalid_input"
    status = 400

    def __init__(self, faults: Sequence[Fault] | str, *, code: str = "") -> None:
        self.faults: tuple[Fault, ...] = (Fault("", faults),) if isinstance(faults, str) else tuple(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults), code=code)


class NotPermitted(PilothouseError):
    """You may not do this; ask someone who may."""

    code = "not_permitted"
    status = 403


class NotFound(PilothouseError):
    """There is no such thing, or you may not see it."""

    code = "not_found"
    status = 404


class Conflict(PilothouseError):
    """The thing has changed or is in the way; look again before you decide."""

    code = "conflict"
    status = 409


class TooManyRequests(PilothouseError):
    """You have asked for this very often just now; wait a minute."""

    code = "too_many_requests"
    status = 429
    wait = 60


class EngineFailed(PilothouseError):
    """The pipeline engine did not do what it was asked, while a person waits for its answer."""

    code = "engine_refused"
    status = 424


class RunnerError(PilothouseError):
    """A pipeline engine did not do what it was asked."""

    code = "runner_error"


class RunnerUnavailable(RunnerError):
    """The pipeline engine cannot be reached now; try again later.

    `retry_after` is in how many seconds, if the engine has said so.
    """

    code = "runner_unavailable"

    def __init__(self, message: str = "", *, code: str = "", retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message, code=code)


class RunnerRefused(RunnerError):
    """The pipeline engine refused the order; trying again will not help."""

    code = "runner_refused"


class SetUpFailed(PilothouseError):
    """Pilothouse could not start on this machine."""

    code = "set_up_failed"


class ExpressionFailed(PilothouseError):
    """An expression could not be evaluated."""

    code = "expression_failed"
