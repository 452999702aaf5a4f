"""How a release's page draws its activities and its graph. There may be hundreds: as templates they would take longer
than all the rest, and `format_html` is slow too, so everything that people wrote goes through `escape` here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import lru_cache
from html import escape
from typing import Any

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from processes.outline_graph import Drawn
from releases.reading.graph import GraphNode
from releases.reading.tree import ActivityView
from releases.templatetags.pilothouse import due, icon, moment, state, took, words

register = template.Library()
_TOLD = ("on_hold", "failed", "ignored", "aborted", "skipped", "waiting", "queued")
_BLANK: SafeString = SafeString("")


@register.simple_tag
@lru_cache(maxsize=4096)
def way_to_activities(release_pk: int) -> str:
    """Return the address before the ids of a release's activities."""
    return reverse("releases:activity", args=[release_pk, 0]).removesuffix("0/")


@register.simple_tag
def activity_link(one: ActivityView, way: str, waits: Container[int], chosen: object = None) -> SafeString:
    """Return an activity as a line that leads to it; `chosen` is the id of the one that is open."""
    current = ' aria-current="true"' if chosen == one.id else ""
    return SafeString(
        f'<a class="activity is-{one.state}" href="{way}{one.id}/"{current}>{state(one.state, "mark")} '
        f'<span class="grow">{_about(one, waits)} {_trouble(one)}</span> '
        f'<span class="facts-end small faint">{_facts(one)}</span></a>'
    )


def _about(one: ActivityView, waits: Container[int]) -> str:
    item = "" if one.item is None else f' <span class="version">{escape(_cut(str(one.item), 40))}</span>'
    optional = "" if one.required else ' <span class="faint small">optional</span>'
    mine = ' <span class="tag mine">waits for you</span>' if one.id in waits else ""
    return f'<span class="activity-name">{escape(one.name)}</span>{item}{optional}{dates(one)}{mine}'


def _trouble(one: ActivityView) -> str:
    if one.reason and one.state in ("ignored", "skipped"):
        return f'<span class="faint small cut block" dir="auto">{escape(_cut(one.reason, 120))}</span>'
    return f'<span class="trouble small">{escape(_cut(one.error, 160))}</span>' if one.error else ""


def _facts(one: ActivityView) -> str:
    tries = f"<span>try {one.attempts}</span>" if one.attempts > 1 else ""
    told = f'<span class="state is-{one.state}" aria-hidden="true">{words(one.state)}</span>'
    kind = words(one.kind)
    return (
        f'{tries}{told if one.state in _TOLD else ""}<span class="kind" title="{kind}">{icon(one.kind)}'
        f'<span class="unseen">{kind}</span></span><span class="length">{took(one.started_at, one.finished_at)}</span>'
    )


@register.simple_tag
def dates(dated: Any) -> SafeString:
    """Return when a phase or an activity opens, if it has not begun, and when it is due, if it is not over."""
    opens = dated.state == "pending" and dated.opens_at
    text = f' <span class="small soft">Opens {moment(dated.opens_at)}</span>' if opens else ""
    if dated.due_at and not dated.finished_at:
        text += f' <span class="small soft">{due(dated.due_at, dated.overdue)}</span>'
    return SafeString(text) if text else _BLANK


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else str(Truncator(text).chars(length))


@register.simple_tag
def graph_level(nodes: Iterable[GraphNode | Drawn], level: str, way: str, is_dense: object = None) -> SafeString:
    """Return one level of the graph of a release, or of a process; `way` is where the activities of a release are."""
    drawn = "\n".join(_node(node, way, is_dense) for node in nodes)
    key, dense = escape(level), " is-dense" if is_dense else ""
    edges = f'<svg class="edges" id="edges-{key}" aria-hidden="true" hx-morph-skip></svg>'
    return SafeString(f'<div class="level{dense}" id="level-{key}">{edges}\n<ol>{drawn}\n</ol></div>')


def _node(node: GraphNode | Drawn, way: str, is_dense: object) -> str:
    if isinstance(node, Drawn):
        kinds, to, label = "is-pending", node.href, f"{icon(node.icon)}{_named(node)}"
    else:
        kinds, to, label = (
            f"is-{node.state}",
            _way(node, way),
            f"{state(node.state, 'mark')}{_named(node)}{_come(node)}",
        )
        kinds += " is-critical" if node.is_critical else ""
    kinds += " is-phase" if node.is_phase else ""
    begin, end = (f'<a class="node-link" href="{escape(to)}">', "</a>") if to else (_STILL, "</span>")
    after = f'<span class="unseen">, after {escape(", ".join(node.after))}</span>' if node.after else ""
    return (
        f'<li class="node {kinds}" id="node-{escape(node.key)}" data-needs="{escape(" ".join(node.needs))}">'
        f"{begin}{label}{after}{end}{_inner(node, way, is_dense)}</li>"
    )


_STILL = '<span class="node-link" tabindex="0">'


def _way(node: GraphNode, way: str) -> str:
    if not node.id:
        return ""
    return f"#phase-{node.id}" if node.is_phase else f"{way}{node.id}/"


def _named(node: GraphNode | Drawn) -> str:
    name = escape(node.name)
    return f'<span class="node-name" dir="auto" title="{name}">{name}</span>'


def _come(node: GraphNode) -> str:
    """Return how far a node has come, and whether all wait for it."""
    critical = '<span class="unseen">, on the critical path</span>' if node.is_critical else ""
    if not node.progress.total:
        return critical
    done = f'{node.progress.settled}/{node.progress.total}<span class="unseen"> done</span>'
    return f'<span class="node-count">{done}</span>{critical}'


def _inner(node: GraphNode | Drawn, way: str, is_dense: object) -> str:
    if not node.inner:
        return ""
    summary = f'<summary aria-label="What is in {escape(node.name)}">{icon("chevron")}</summary>'
    inner = graph_level(node.inner, node.key, way, is_dense)
    return f'<details class="fold node-inner" id="inner-{escape(node.key)}">{summary}{inner}</details>'
