"""What the sample people do when something waits for them: they look at `/me`, as anybody can, and answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from config.demo.caller import Caller, Refused

CONFLICT = 409
FORM = {"release_notes": "The new checkout shows the total before it asks for the address."}
APPROVAL = "Looks good to me."
#: Told what somebody did: the number of the activity run, and words for it.
Told = Callable[[int, str], None]


def answer(people: Sequence[Caller], release: int, tell: Told) -> bool:
    """Let the first of the people for whom something waits in a release attend to it; false if nobody could."""
    for person in people:
        me = person.get("me/")
        for waiting in me["waiting"]:
            if waiting["release"] == release and _attend(person, me["groups"], waiting, tell):
                return True
    return False


def _attend(person: Caller, groups: Sequence[str], waiting: Mapping[str, Any], tell: Told) -> bool:
    path = f"activity-runs/{waiting['activity_run']}/"
    tasks = [task for task in person.get(path)["tasks"] if task["done_at"] is None and _is_for(groups, task["groups"])]
    done = False
    for send, body, words in _answers(waiting["asks"], tasks):
        try:
            person.post(f"{path}{send}/", body)
        except Refused as refused:
            if refused.status != CONFLICT:
                raise
            continue  # somebody in a browser was quicker
        tell(waiting["activity_run"], f"{person.username} {words}")
        done = True
    return done


def _is_for(groups: Sequence[str], assignees: Sequence[str]) -> bool:
    return any(assignee.removeprefix("group:") in groups for assignee in assignees)


def _answers(asks: Sequence[str], tasks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield for each thing asked the address below the activity's, the body to send there and words for it."""
    if "task" in asks:
        for task in tasks:
            yield f"tasks/{task['id']}/done", {}, f"did “{task['name']}”"
    if "form" in asks:
        yield "form", {"values": FORM}, "filled in the form"
    if "sign-off" in asks:
        yield "sign-off", {"decision": "approved", "comment": APPROVAL}, "approved"
