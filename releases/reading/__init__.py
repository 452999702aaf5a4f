"""What pages and the API show of a release in motion. Who may look is decided before (`policy.visible_releases`)."""

from releases.reading.activity import ActivityDetail, activity_detail
from releases.reading.awaited import awaited_by
from releases.reading.before_start import BeforeStart, Standing, before_start, standings_for, standings_of_many
from releases.reading.blocked import Blocked, ReleaseBlocked, blocked_in, release_blocked, run_blocked
from releases.reading.dates import NextDate, NextDates, dates_of, next_dates
from releases.reading.forecasts import ReleaseForecast, Step, planned_spans, release_forecast
from releases.reading.graph import Graph, GraphNode, planned_graph, release_graph
from releases.reading.involved import Involved, involved_in
from releases.reading.links import Link
from releases.reading.logs import Log, log_of
from releases.reading.may import release_may
from releases.reading.phase import PhaseDetail, phase_detail
from releases.reading.planned import PlannedDate, planned_dates
from releases.reading.progress import progress_of
from releases.reading.runbook import Runbook, runbook_of
from releases.reading.timeline import Timeline, release_timeline
from releases.reading.tree import ActivityView, PhaseView, release_tree
from releases.reading.values import Value, release_inputs

__all__ = [
    "ActivityDetail",
    "ActivityView",
    "BeforeStart",
    "Blocked",
    "Graph",
    "GraphNode",
    "Involved",
    "Link",
    "Log",
    "NextDate",
    "NextDates",
    "PhaseDetail",
    "PhaseView",
    "PlannedDate",
    "ReleaseBlocked",
    "ReleaseForecast",
    "Runbook",
    "Standing",
    "Step",
    "Timeline",
    "Value",
    "activity_detail",
    "awaited_by",
    "before_start",
    "blocked_in",
    "dates_of",
    "involved_in",
    "log_of",
    "next_dates",
    "phase_detail",
    "planned_dates",
    "planned_graph",
    "planned_spans",
    "progress_of",
    "release_blocked",
    "release_forecast",
    "release_graph",
    "release_inputs",
    "release_may",
    "release_timeline",
    "release_tree",
    "run_blocked",
    "runbook_of",
    "standings_for",
    "standings_of_many",
]
