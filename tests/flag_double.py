"""What doubles of systems for feature flags share: how they misbehave, and how a flag stands in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.engine_double import Reply, Request

SECRET = "flag-secret"
Known = tuple[bool, float | None]


class FlagDouble:
    """`next` are replies in place of an answer, `lost` ones given after a change was taken; `deaf` takes no change."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Request] = []
        self.next: list[Reply] = []
        self.lost: list[Reply] = []
        self.deaf = False

    def __call__(self, request: Request) -> Reply:
        if self.next:
            return self.next.pop(0)
        if not self.is_known(request):
            return Reply(401, {"message": f"Who is {SECRET}?"})
        if request.method == "GET" or self.only_asks(request):
            return self.answer(request)
        reply = Reply(201 if request.method == "POST" else 200, {}) if self.deaf else self.answer(request)
        if not self.lost or reply.status >= 300:
            return reply
        lost = self.lost.pop(0)
        return replace(lost, status=reply.status) if lost.status < 300 else lost

    @property
    def changes(self) -> list[Request]:
        """The requests that change something."""
        return [one for one in self.asked if one.method != "GET" and not self.only_asks(one)]

    def is_known(self, request: Request) -> bool:
        """Whether the request carries the secret."""
        return SECRET in request.headers.get("authorization", "")

    def only_asks(self, request: Request) -> bool:
        """Whether a request that is no GET changes nothing all the same."""
        return False

    def settings(self) -> dict[str, Any]:
        """The settings of a connection to it."""
        raise NotImplementedError

    def answer(self, request: Request) -> Reply:
        """Answers as the system would."""
        raise NotImplementedError

    def stands(self) -> Known | None:
        """How the flag `new-checkout` stands."""
        raise NotImplementedError

    def vanish(self) -> None:
        """Removes it."""
        raise NotImplementedError
