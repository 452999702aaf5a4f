"""The logs of Buildbot's steps, which it gives from a line on while they grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from activities.engines import MOST_LOG
from activities.providers.buildbot_place import Place, first
from activities.providers.growing import Part, Piece, piece_of, shortened

MOST_LINES = 2_000
"""Lines that one look reads of one step, at most."""


async def steps_of(place: Place, builds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the steps of builds that have begun, hidden ones too, in the order in which they began."""
    found: list[dict[str, Any]] = []
    for build in builds:
        found += (await place.ask(f"/builds/{build['buildid']}/steps")).listed("steps")
    begun = [one for one in found if one.get("started_at")]
    return sorted(begun, key=lambda one: (one["started_at"], one["stepid"]))


def part_of(step: Mapping[str, Any]) -> Part:
    """Returns a step as a part whose log can be read."""
    return Part(str(step["stepid"]), str(step.get("name")), step.get("results") is not None)


async def parts_of(place: Place, buildset: str) -> list[Part]:
    """Returns the steps of every build of a buildset."""
    builds = [build for request in await place.requests(buildset) for build in await place.builds(request)]
    return [part_of(step) for step in await steps_of(place, builds)]


async def read_log(place: Place, part: Part, offset: int) -> Piece | None:
    """Reads on in a step's log, from a line on; None if it has none."""
    path = f"/steps/{part.id}/logs/stdio"
    if part.is_over and not offset:
        return piece_of(await place.ask(f"{path}/raw", accept=(404,), most=MOST_LOG, tail=True), part, 0)
    answer = await place.ask(path, accept=(404,))
    about = first(answer, "logs") if answer.status == HTTPStatus.OK else {}
    count = int(about.get("num_lines") or 0)
    if count <= offset:
        return Piece("", offset) if about else None
    most = count - offset
    content, read = await _end_of(place, f"/logs/{about['logid']}/contents", count, min(most, MOST_LINES))
    lines = content.split("\n")
    told = "\n".join(line[1:] for line in lines) if about.get("type") == "s" else content
    return Piece(shortened(told.encode(), part, offset, is_cut=read < most), count)


async def _end_of(place: Place, path: str, count: int, most: int) -> tuple[str, int]:
    """Returns the last lines of a log that has `count`, at most so many, and how many: fewer where they are long."""
    while most:
        answer = await place.ask(path, params={"offset": count - most, "limit": most}, tail=True)
        if not answer.is_cut:
            return str(first(answer, "logchunks").get("content") or ""), most
        most //= 8
    return "", 0
