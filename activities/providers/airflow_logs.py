"""The logs of Airflow's tasks. Airflow gives a log as a whole, one JSON a line: an offset counts its lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from activities.providers.airflow_dag import Dag
from activities.providers.growing import Part, Piece, most_of, shortened

MOST_TRIED = 5
"""Tasks that were tried again whose earlier tries are asked for."""
_OVER = ("success", "failed", "skipped", "upstream_failed", "removed")
_HEAD, _HEAD_ENDS = "::group::Log message source details", "::endgroup::"


async def story(dag: Dag, run_id: str) -> tuple[str, list[Part]]:
    """Returns what went wrong in words, and the task that failed or came last."""
    tasks = await _tasks(dag, run_id)
    failed = [one for one in tasks if one.get("state") == "failed"]
    ended = sorted((one for one in tasks if one.get("end_date")), key=lambda one: str(one["end_date"]))
    error = "; ".join(f"Task '{one.get('task_id')}' failed" for one in failed[:5]) or "Airflow says: failed."
    return error, [_part(one) for one in (failed or ended[-1:])[:1] if one.get("try_number")]


async def parts_of(dag: Dag, run_id: str) -> list[Part]:
    """Returns every try of every task that has begun, in the order in which they began."""
    begun = [one for one in await _tasks(dag, run_id) if one.get("start_date") and one.get("try_number")]
    tries, asked = list(begun), 0
    for one in begun:
        if int(one["try_number"]) > 1 and asked < MOST_TRIED:
            asked += 1
            tries += await _earlier(dag, run_id, one)
    return [_part(one) for one in sorted(tries, key=lambda one: (str(one["start_date"]), str(one.get("task_id"))))]


async def _tasks(dag: Dag, run_id: str) -> list[dict[str, Any]]:
    answer = await dag.ask("GET", _base(run_id), params={"limit": 100}, accept=(403, 404))
    return answer.listed("task_instances") if answer.status == 200 else []


async def _earlier(dag: Dag, run_id: str, task: Mapping[str, Any]) -> list[dict[str, Any]]:
    mapped = "" if task.get("map_index", -1) == -1 else f"/{task['map_index']}"
    path = f"{_base(run_id)}/{quote(str(task['task_id']), safe='')}{mapped}/tries"
    answer = await dag.ask("GET", path, accept=(403, 404))
    found = answer.listed("task_instances") if answer.status == 200 else []
    earlier = [one for one in found if one.get("start_date") and int(one.get("try_number") or 0) < task["try_number"]]
    return [{**one, "state": "failed"} for one in earlier]


def _base(run_id: str) -> str:
    return f"/dagRuns/{quote(run_id, safe='')}/taskInstances"


def _part(task: Mapping[str, Any]) -> Part:
    name, index = str(task.get("task_id")), task.get("map_index", -1)
    shown = name if index == -1 else f"{name} [{index}]"
    return Part(f"{index} {task.get('try_number')} {name}", shown, task.get("state") in _OVER)


async def read_log(dag: Dag, run_id: str, part: Part, offset: int) -> Piece | None:
    """Reads on in the log of a try, from a line on; None if it has none.

    What Airflow says at the top of where the log was found changes meanwhile, so it is not counted.
    """
    index, tried, task = part.id.split(" ", 2)
    log = await dag.ask(
        "GET",
        f"{_base(run_id)}/{quote(task, safe='')}/logs/{tried}",
        params={"map_index": index, "full_content": "true"},
        headers={"accept": "application/x-ndjson"},
        accept=(400, 403, 404),
        most=most_of(part, offset),
        tail=True,
    )
    if log.status != 200:
        return None
    if log.is_cut and not part.is_over:
        return Piece("", offset)
    lines = [_line(line) for line in log.text.splitlines()[log.is_cut :]]
    if lines and lines[0].startswith(_HEAD) and _HEAD_ENDS in lines:
        lines = lines[lines.index(_HEAD_ENDS) + 1 :]
    told = "".join(f"{line}\n" for line in (lines if log.is_cut else lines[offset:]))
    return Piece(shortened(told.encode(), part, offset, is_cut=log.is_cut), max(offset, len(lines)))


def _line(text: str) -> str:
    """One line of a log, which Airflow gives as JSON; what was raised follows in lines of its own."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    told = found.get("event", found.get("content")) if isinstance(found, dict) else found
    if not isinstance(told, str):
        return text
    raised = found.get("error_detail") if isinstance(found, dict) else None
    return "\n".join([told, *(line for one in reversed(_mappings(raised)) for line in _raised(one))])


def _raised(error: Mapping[str, Any]) -> list[str]:
    """What was raised, as Python would write it."""
    frames = [
        f'  File "{one.get("filename")}", line {one.get("lineno")}, in {one.get("name")}'
        for one in _mappings(error.get("frames"))
    ]
    return [*frames, f"{error.get('exc_type')}: {error.get('exc_value')}"]


def _mappings(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
