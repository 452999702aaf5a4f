"""What those who operate a release decide: pause, resume, abort, and what becomes of an activity on hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from activities import secrets
from config.errors import Conflict, Fault, InvalidInput
from config.trail import Actor
from processes.expansion import expand
from processes.models import Process
from processes.store import catalogue_for
from releases import policy
from releases.execution import decisions, lifecycle
from releases.models import ActivityRun, PhaseRun, Release
from releases.services.given import mapping_faults, reason_of, require, text_faults
from releases.services.starting import depth_faults, names_in


def pause_release(actor: Actor, release: Release, *, now: datetime, reason: str = "") -> None:
    """Start nothing new in a release until it is resumed; what runs finishes."""
    policy.require_operate(actor, release)
    require(text_faults("reason", reason))
    _require_started(release)
    lifecycle.pause(release.pk, actor=actor, now=now, reason=reason)


def resume_release(actor: Actor, release: Release, *, now: datetime) -> None:
    """Let a paused release go on."""
    policy.require_operate(actor, release)
    _require_started(release)
    lifecycle.resume(release.pk, actor=actor, now=now)


def abort_release(actor: Actor, release: Release, *, now: datetime, reason: str) -> None:
    """Stop a release for good; the reason is kept."""
    policy.require_operate(actor, release)
    why = reason_of(reason)
    _require_started(release)
    lifecycle.abort(release.pk, actor=actor, now=now, reason=why)


def _require_started(release: Release) -> None:
    """Raise Conflict before the start: there is nothing to steer yet, which is not the same as no such release."""
    if release.snapshot_id is None:
        raise Conflict(f"The release is {release.state}; it has not started.", code="not_started")


def restart_phase(actor: Actor, phase: PhaseRun, *, now: datetime, reason: str = "") -> None:
    """Run a phase once more from its first activity."""
    policy.require_operate(actor, phase.release)
    require(text_faults("reason", reason))
    decisions.restart_phase(phase.release_id, phase.pk, actor=actor, now=now, reason=reason)


def retry_activity(
    actor: Actor, run: ActivityRun, *, now: datetime, inputs: Mapping[str, Any] | None = None, reason: str = ""
) -> None:
    """Try an activity on hold again, with the same or with changed inputs."""
    policy.require_decide(actor, run)
    inputs = {} if inputs is None else inputs
    require(mapping_faults("inputs", inputs), text_faults("reason", reason))
    secrets.require_use(actor, inputs)
    decisions.retry(run.release_id, run.pk, actor=actor, now=now, inputs=inputs, reason=reason)


def ignore_activity(
    actor: Actor, run: ActivityRun, *, now: datetime, reason: str, outputs: Mapping[str, Any] | None = None
) -> None:
    """Wave an activity on hold through; the reason is required, outputs may stand in for its own."""
    policy.require_decide(actor, run)
    outputs = {} if outputs is None else outputs
    require(mapping_faults("outputs", outputs))
    decisions.ignore(run.release_id, run.pk, actor=actor, now=now, reason=reason_of(reason), outputs=outputs)


def fail_activity(actor: Actor, run: ActivityRun, *, now: datetime, reason: str = "") -> None:
    """Let an activity on hold fail for good."""
    policy.require_decide(actor, run)
    require(text_faults("reason", reason))
    decisions.fail(run.release_id, run.pk, actor=actor, now=now, reason=reason)


def replace_activity(
    actor: Actor,
    run: ActivityRun,
    *,
    process: Process,
    now: datetime,
    with_: Mapping[str, Any] | None = None,
    outputs: Mapping[str, str] | None = None,
    reason: str = "",
) -> None:
    """Run another process in place of an activity on hold.

    `with_` are the process's inputs (values or expressions, as in a document); `outputs` maps each output of the
    activity to the process's output that stands in for it, the same names if left out. Whoever does it must be allowed
    to start that process as well.
    """
    policy.require_decide(actor, run)
    policy.require_start(actor, process)
    require(
        mapping_faults("with", with_ or {}), mapping_faults("outputs", outputs or {}), text_faults("reason", reason)
    )
    secrets.require_use(actor, with_)
    revision = process.revisions.first()
    if revision is None:
        raise InvalidInput([Fault("process", f"{process} has not been published.", "Publish it first.")])
    expanded = expand(revision.document, revision.number, catalogue_for(revision), document_digest=revision.digest)
    graft = expanded["nodes"]
    made = graft[0]["outputs"]
    mapping = dict(outputs) if outputs else {name: name for name in made}
    require(
        _unknown("with", with_ or {}, graft[0]["inputs"], f"{process} has no input"),
        _unknown("outputs", mapping.values(), made, f"{process} has no output"),
        depth_faults(graft, run.path),
    )
    graft[0] = {**graft[0], "with": dict(with_ or {}), "outputs": {name: made[of] for name, of in mapping.items()}}
    decisions.replace(
        run.release_id,
        run.pk,
        actor=actor,
        now=now,
        subprocess={"process": process.slug, "revision": revision.number, "roles": expanded["roles"]},
        names=[name for node in graft for name in names_in(node)],
        graft=graft,
        reason=reason,
    )


def _unknown(place: str, names: Iterable[Any], known: Iterable[str], words: str) -> list[Fault]:
    cure = f"It has {', '.join(sorted(known)) or 'none'}."
    return [Fault(place, f"{words} '{name}'.", cure) for name in names if name not in list(known)]
