"""Why a run waits, as links that lead to what others, in turn, wait for (product, section 7). Pure.

1. A pending run waits for what holds it to open, for what it needs, for the clock (`opens`, a freeze), for a free place
   in its `for_each`; a queued one for a worker or its next try; a waiting one for people, a signal or a moment.
2. What it waits for is followed: of a container that runs, to those activities in it that do not wait for each other.
3. Every run is followed once in an answer, to a bounded depth and number of links: the whole story of a run that is
   only named stands in its own answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from releases import assignees
from releases.execution.people import rule_names
from releases.reading.earliest import Estimate, Point, held_until, is_held_for_good
from releases.reading.links import MOST_NAMES, Link, full_names, listed, spoken, who_of
from releases.reading.situation import Row, Situation
from releases.tree import ROOT, Key

#: So many links stand beside each other; the rest is counted in a link of the kind `more`.
MOST_BESIDE = 6
_STATES = {
    "queued": "waits for a worker",
    "running": "is running",
    "waiting": "is waiting",
    "on_hold": "is on hold",
    "pending": "has not started",
}


@dataclass(slots=True)
class Chain:
    """Follows one run, at most `depth` links deep and `most` links in all. Use a new one for every answer."""

    situation: Situation
    estimates: Mapping[Point, Estimate]
    depth: int = 8
    most: int = 60
    seen: set[Key | str] = field(default_factory=set)

    def of(self, row: Row) -> tuple[Link, ...]:
        """Return what a run waits for; nothing once it has settled."""
        return tuple(self._why(row, self.depth))

    def _why(self, row: Row, depth: int) -> list[Link]:
        if row.is_settled or row.key in self.seen or depth == 0 or self.most <= 0:
            return []
        self.seen.add(row.key)
        pause = self._pause() if row.state in ("pending", "queued") or row.key == ROOT else []
        if row.state == "pending":
            links = self._pending(row, depth)
        elif row.state == "running":
            links = self._running(row, depth)
        else:
            links = {"queued": self._queued, "waiting": self._waiting, "on_hold": self._on_hold}[row.state](row)
        links += pause
        self.most -= len(links)
        return links

    def _link(self, kind: str, words: str, row: Row, **more: Any) -> Link:
        """Return a link about a run; a role among `who` that nobody fills is a link behind it."""
        who = full_names(more.pop("who", ()))
        links = [*more.pop("links", ()), *self._unfilled(who)]
        return Link(kind, words, path=row.path, who=who or who_of(links)[:MOST_NAMES], links=tuple(links), **more)

    def _unfilled(self, who: Sequence[str]) -> list[Link]:
        roles = self.situation.tree.about.get("roles") or {}
        found = []
        for kind, role in map(assignees.split, who):
            if kind != "role" or role in self.situation.people.filled or f"role:{role}" in self.seen:
                continue
            self.seen.add(f"role:{role}")
            group = (roles.get(role) or {}).get("group")
            words = f"Nobody fills the role {role}: whoever plans the release can name somebody"
            found.append(Link("role_unfilled", f"{words}{f' of {group}' if group else ''}.", subject=f"role:{role}"))
        return found

    def _pause(self) -> list[Link]:
        if not self.situation.is_paused or "paused" in self.seen:
            return []
        self.seen.add("paused")
        words = "The release is paused: nothing new starts until somebody who operates it resumes it."
        return [Link("paused", words, subject=f"release:{self.situation.release.pk}")]

    # What a pending run waits for -------------------------------------------------------------------------------------
    def _pending(self, row: Row, depth: int) -> list[Link]:
        holder = self.situation.holder(row)
        closed = holder is not None and holder.state != "running"
        links = [self._closed(holder, depth)] if holder is not None and closed and holder.key not in self.seen else []
        links += self._needs(row, depth)
        links += self._clock(row)
        if holder is not None and not links:
            links += self._place(holder, depth)
        if links or closed or self.situation.is_paused:
            return links
        return [self._link("opening", "Nothing stands in its way: it opens as soon as the machine gets to it.", row)]

    def _closed(self, holder: Row, depth: int) -> Link:
        if holder.kind == "phase":
            words = f"The phase {holder.path} is not open."
            return self._link("phase", words, holder, links=self._why(holder, depth - 1))
        words = f"{holder.path}, which it is a part of, {_STATES[holder.state]}."
        return self._link("container", words, holder, links=self._why(holder, depth - 1))

    def _needs(self, row: Row, depth: int) -> list[Link]:
        needs = self.situation.needs(row)
        enough = len(needs) > 1 and self.situation.node(row).needs_any
        return self._some(needs, lambda need: [self._need(need, depth, enough=enough)])

    def _need(self, need: Row, depth: int, *, enough: bool) -> Link:
        links = self._why(need, depth - 1)
        end = self.estimates[Point(need.key, is_end=True)]
        words = f"It needs {need.path}, which {_STATES[need.state]}"
        words += "; one of these is enough." if enough else "."
        kind = "dependency_failed" if end.stuck else "dependency"
        who = who_of(links)
        return self._link(kind, words, need, until=end.at, who=who, links=links)

    def _clock(self, row: Row) -> list[Link]:
        now, held, until = self.situation.now, row.held_by or {}, held_until(row)
        links = []
        at = until if held.get("kind") == "opens" else row.opens_at
        if at is not None and at > now:
            links.append(self._link("opens", "It does not open before its time.", row, until=at))
        if held.get("kind") == "opens" or not (is_held_for_good(row) or (until is not None and until > now)):
            return links
        if held.get("kind") != "freeze":
            words = str(held.get("words") or "Something keeps it from opening.")
            return [*links, self._link(str(held.get("kind") or "held"), words, row, until=until)]
        words = f"The freeze {held.get('name') or held.get('freeze')} lets nothing here start"
        words += "." if until else " until it is lifted."
        return [*links, self._link("freeze", words, row, subject=f"freeze:{held.get('freeze')}", until=until)]

    def _place(self, holder: Row, depth: int) -> list[Link]:
        limit = self.situation.node(holder).parallel
        busy = [item for item in self.situation.children(holder) if item.state != "pending" and not item.is_settled]
        if limit is None or len(busy) < limit:
            return []
        words = f"{holder.path} runs {limit} of its {holder.count} items at once."
        links = self._some(busy, lambda item: self._why(item, depth - 1))
        return [self._link("parallel", words, holder, links=links)]

    def _some(self, rows: Sequence[Row], tell: Callable[[Row], list[Link]]) -> list[Link]:
        links = [link for row in rows[:MOST_BESIDE] for link in tell(row)]
        rest = len(rows) - MOST_BESIDE
        return [*links, Link("more", f"And {rest} more.")] if rest > 0 else links

    # What a run that has opened waits for -----------------------------------------------------------------------------
    def _queued(self, row: Row) -> list[Link]:
        at = self.situation.retries.get(row.id)
        if at is not None and at > self.situation.now:
            return [self._link("retry", f"It failed and is tried again: {_short(row.error)}", row, until=at)]
        return [self._link("queued", "A worker takes it next.", row)]

    def _running(self, row: Row, depth: int) -> list[Link]:
        if not self.situation.node(row).is_container:
            said = self.situation.told.get(row.id, "")
            words = f"It is running. {_short(said)}" if said else "It is running."
            return [self._link("running", words, row, since=row.started_at)]
        return self._some(self.situation.first_in(row), lambda child: self._why(child, depth))

    def _on_hold(self, row: Row) -> list[Link]:
        who = self.situation.deciders(row)
        by = listed([*spoken(who), "whoever operates the release"])
        words = f"It failed and waits for {by} to decide: {_short(row.error)}"
        return [self._link("on_hold", words, row, since=row.started_at, who=who)]

    def _waiting(self, row: Row) -> list[Link]:
        if row.kind == "wait":
            return [self._link("wait", "It waits for its moment.", row, until=self.situation.untils[row.id])]
        if row.kind == "signal":
            words = "It waits for a signal from outside."
            return [self._link("signal", words, row, since=row.started_at, who=self.situation.deciders(row))]
        return self._asks(row)

    def _asks(self, row: Row) -> list[Link]:
        asked, since = self.situation.asked[row.id], row.started_at
        hands_in = [*self.situation.deciders(row), *asked.every_group]
        links = [
            self._link(
                "task", f"The task “{task.name}” is not done.", row, subject=f"task:{task.slug}",
                since=since, who=task.groups,
            )
            for task in asked.tasks
        ]  # fmt: skip
        if asked.form:
            links.append(self._link("form", "Nobody has filled in the form.", row, who=hands_in))
        links += [self._sign_off(row, index) for index, rule in enumerate(asked.standings) if rule.missing]
        if asked.evidence:
            files = "1 file is" if asked.evidence == 1 else f"{asked.evidence} files are"
            links.append(self._link("evidence", f"{files.capitalize()} missing as evidence.", row, who=hands_in))
        return links or [self._link("done", "Nobody has said that it is done.", row, who=hands_in)]

    def _sign_off(self, row: Row, index: int) -> Link:
        asked, people = self.situation.asked[row.id], self.situation.people
        rule = asked.standings[index]
        names = rule_names(rule.rule)
        signed = {user for other in asked.standings for user in other.signers}
        able = sorted(people.names[user] for user in rule.eligible - signed)
        words = f"Sign-off {len(rule.signers) + 1} of {rule.need} by {listed(spoken(names))} is missing"
        words += f"; {listed(able)} may sign." if able else "; nobody is left who may sign."
        return self._link("sign_off", words, row, subject=f"rule:{index}", since=row.started_at, who=names)


def hanging(situation: Situation, estimate: Estimate) -> str:
    """Return in words what an unknown moment hangs on; nothing if it is known."""
    if estimate.at is not None:
        return ""
    return f"It hangs on {listed([_cause(situation, situation.rows[key]) for key in estimate.hangs_on], 'and')}."


def _cause(situation: Situation, row: Row) -> str:
    if row.key == ROOT:
        return "somebody resuming the release"
    if is_held_for_good(row) and row.state == "pending":
        return f"the freeze {(row.held_by or {}).get('name', '')}, which has no end".replace("  ", " ")
    if row.kind == "manual" or row.state == "on_hold":
        names = situation.asked[row.id].standings if row.id in situation.asked else []
        by = [name for rule in names if rule.missing for name in rule_names(rule.rule)] or situation.deciders(row)
        return f"{row.path} ({'on hold' if row.state == 'on_hold' else 'people'}: {listed(spoken(by)) or 'no owner'})"
    return f"{row.path} ({row.kind.replace('_', ' ')}, {row.state})"


def _short(error: str) -> str:
    text = " ".join(error.split())
    return text if len(text) <= 200 else f"{text[:199]}…"
