"""What a pipeline engine is to Pilothouse: an order goes in, an outcome comes out; nobody waits in between.

"The work failed" is an Outcome. A RunnerError says that the engine could not be asked (RunnerUnavailable: try again) or
does not take the order (RunnerRefused: do not).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal, Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from config.errors import RunnerRefused

Status = Literal["running", "succeeded", "failed", "timed_out", "cancelled"]

BUILT_IN: Mapping[str, str] = {
    "airflow": "activities.providers.airflow.airflow_engine",
    "argo": "activities.providers.argo.argo_engine",
    "azure": "activities.providers.azure.azure_engine",
    "buildbot": "activities.providers.buildbot.buildbot_engine",
    "datadog": "activities.providers.datadog.datadog_engine",
    "flagsmith": "activities.providers.flagsmith.flagsmith_engine",
    "github": "activities.providers.github.github_engine",
    "gitlab": "activities.providers.gitlab.gitlab_engine",
    "goff": "activities.providers.goff.goff_engine",
    "harness": "activities.providers.harness.harness_engine",
    "harness_fme": "activities.providers.harness_fme.harness_fme_engine",
    "http": "activities.providers.http.http_engine",
    "jenkins": "activities.providers.jenkins.jenkins_engine",
    "jira": "activities.providers.jira.jira_engine",
    "launchdarkly": "activities.providers.launchdarkly.launchdarkly_engine",
    "local": "activities.providers.local.local_runner",
    "metrics": "activities.providers.metrics.metrics_engine",
    "pilothouse": "activities.providers.pilothouse.pilothouse_engine",
    "prometheus": "activities.providers.prometheus.prometheus_engine",
    "servicenow": "activities.providers.servicenow.servicenow_engine",
    "unleash": "activities.providers.unleash.unleash_engine",
}
"""Provider name to the dotted path of what makes its runner when called without arguments."""
MOST_PROGRESS = 32_768
"""Characters that what a look tells of the progress may have."""
PLUG_INS = "pilothouse.providers"
"""The entry points that add providers."""


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt of one automated activity, everything resolved. What may hold a secret stays out of its repr.

    `key` names the attempt ("<activity run id>-<attempt>") and makes a start idempotent; `connection` are the
    connection's settings and `spec` the activity's automated block; `masks` are values that may appear in no log;
    `timeout` is in seconds, None for no limit. `again` says that the key may have been started before, though no answer
    is known; `started_at` is when the attempt began; `progress` and `log_parts` are what the last look that was
    recorded has told.
    """

    key: str
    connection: Mapping[str, Any]
    spec: Mapping[str, Any]
    secret: str | None = field(default=None, repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    masks: tuple[str, ...] = field(default=(), repr=False)
    timeout: float | None = None
    again: bool = False
    started_at: datetime | None = None
    progress: Mapping[str, Any] | None = field(default=None, repr=False)
    log_parts: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of an attempt now.

    `reference` finds the work again and `link` shows it to a person; `log` is the new text since the offset that was
    asked with and `log_offset` the one to ask with next (the provider's own unit, 0 at the start), together with
    `log_parts`, where an offset alone does not tell what has been read; `look_in` says in how many seconds the next
    look is useful, None once the work is over or if the provider cannot tell. `progress` is a small document of how
    far it is, shown while it runs and afterwards, None if there is no news: `text` in words, `share` of the whole from
    0 to 1, `curve` to be drawn; whatever else it holds is handed back to the next look.
    """

    status: Status
    reference: str = ""
    link: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    log: str = ""
    log_offset: int = 0
    look_in: float | None = None
    progress: Mapping[str, Any] | None = None
    log_parts: str = ""

    def __post_init__(self) -> None:
        """Makes texts from outside fit to be stored: odd bytes never keep the end of work from being recorded."""
        for name in ("reference", "link", "error", "log", "log_parts"):
            object.__setattr__(self, name, _writable(getattr(self, name)))
        if self.outputs:
            outputs = {_writable(name): _writable(text) for name, text in self.outputs.items()}
            object.__setattr__(self, "outputs", outputs)
        if self.progress is not None:
            object.__setattr__(self, "progress", _storable(self.progress))

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.status != "running"


def _writable(text: str) -> str:
    """Returns the text with a mark in the place of what no database and no JSON takes: NUL and half characters."""
    if not text or (text.isascii() and "\x00" not in text):
        return text
    return text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _storable(progress: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Returns the document as the database takes it; None if it is none, or too large to be written at each look."""
    try:
        text = json.dumps(progress, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    found: Mapping[str, Any] = _each_writable(json.loads(text))
    return found if len(text) <= MOST_PROGRESS else None


def _each_writable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_writable(name): _each_writable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_each_writable(inner) for inner in value]
    return _writable(value) if isinstance(value, str) else value


class Runner(Protocol):
    """A pipeline engine. Every method may raise RunnerUnavailable; none waits for the work to end."""

    kind: str

    def start(self, order: Order) -> Outcome:
        """Starts the work once per `order.key`; asked again, answers with what was started. May raise RunnerRefused."""

    def look(self, order: Order, reference: str, log_offset: int) -> Outcome:
        """Says how the work stands, with the log from `log_offset` on."""

    def cancel(self, order: Order, reference: str) -> None:
        """Asks for the end of the work; before the start it forbids the start. Work that is over stays as it ended."""


def runner_for(provider: str) -> Runner:
    """Returns the runner of a connection's provider, whichever way it is called (see `engines`).

    Raises RunnerRefused when no provider has that name or what should make it cannot be loaded.
    """
    path = provider_paths().get(provider)
    if path is None:
        known = ", ".join(sorted(provider_paths()))
        raise RunnerRefused(f"There is no provider {provider!r}; the known ones are: {known}.", code="unknown_provider")
    try:
        make = cast("Callable[[], Runner]", import_string(path))
    except ImportError as error:
        raise RunnerRefused(f"The provider {provider!r} cannot be loaded from {path}: {error}") from error
    return make()


def provider_paths() -> dict[str, str]:
    """Returns every provider's name with the dotted path of what makes its runner.

    Plug-ins (entry points of the group `pilothouse.providers`) add to the built-in ones, settings.PROVIDERS to both.
    """
    return {**BUILT_IN, **_plugged_in(), **getattr(settings, "PROVIDERS", {})}


@cache
def _plugged_in() -> dict[str, str]:
    return {found.name: found.value.replace(":", ".") for found in entry_points(group=PLUG_INS)}
