"""`make bench`: how fast the engine is, beside bare Celery in the same minute on the same broker."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import due, stack
from tests.benchmarks.marks import Marks, gaps, median, rate

ALL = ["chain", "throughput", "due", "size", "history", "conflicts", "crowded", "live", "follow"]


def main() -> None:
    """Run the chosen workloads and print a line for each number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=ALL)
    parser.add_argument("--releases", type=int, default=100, help="how many releases run at once")
    parser.add_argument("--waiting", type=int, default=10_000, help="how many scheduled releases become due at once")
    parser.add_argument("--past", type=int, default=1_000_000, help="how many finished activities history adds")
    parser.add_argument("--crowd", type=int, default=10_000, help="how many releases a crowded database has")
    parser.add_argument("--pages", type=int, default=500, help="how many open pages hear of a running release")
    parser.add_argument("--followed", type=int, default=10_000, help="how many pipelines one follower follows")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="pilothouse-bench-"))
    marks = Marks(folder / "marks")
    hold = stack.prepare()
    try:
        if set(chosen.what) - {"follow"}:
            with_workers(chosen, marks, folder)
        if "follow" in chosen.what:
            follow(chosen.followed, folder)
    finally:
        hold.release()


def with_workers(chosen: argparse.Namespace, marks: Marks, folder: Path) -> None:
    """Run the chosen workloads that workers carry out."""
    with (
        stack.workers("config.celery", folder / "engine.log"),
        stack.workers("tests.benchmarks.bare", folder / "bare.log"),
    ):
        _warm(marks)
        if "chain" in chosen.what:
            chain(marks)
        if "throughput" in chosen.what:
            throughput(marks, chosen.releases)
        if "due" in chosen.what:
            due.due(chosen.waiting, folder)
        if "size" in chosen.what:
            size(marks)
        if "history" in chosen.what:
            with_history(marks, chosen.releases, chosen.past)
        if "conflicts" in chosen.what:
            conflicts()
        if "live" in chosen.what:
            live(chosen.pages, folder)
        if "crowded" in chosen.what:
            crowded(chosen.crowd)


def _warm(marks: Marks) -> None:
    from tests.benchmarks import bare, history, shapes  # noqa: PLC0415 - Django has only now been set up

    bare.send_release(0)
    marks.wait(40, 60)
    marks.reset()
    stack.start(stack.publish(shapes.forty()))
    marks.wait(40, 60)
    history.analyze()


def chain(marks: Marks) -> None:
    """The gap between one activity's end and the next one's start, in a chain of 50."""
    from tests.benchmarks import bare, shapes  # noqa: PLC0415

    revision = stack.publish(shapes.chained(50))
    marks.reset()
    bare.send_chain(50)
    theirs = median(gaps(marks.wait(50, 60)))
    marks.reset()
    stack.start(revision)
    ours = median(gaps(marks.wait(50, 60)))
    print(f"gap in a chain of 50: {ours:.2f} ms, bare Celery {theirs:.2f} ms, ratio {theirs / ours:.2f}")


def throughput(marks: Marks, releases: int) -> None:
    """Activities a second for many releases of 8 phases x 5 activities, from the first start to the last end."""
    from tests.benchmarks import bare, shapes  # noqa: PLC0415

    revision = stack.publish(shapes.forty())
    marks.reset()
    since = time.time_ns()
    for run in range(releases):
        bare.send_release(run)
    before = stack.processor_seconds()
    theirs = rate(marks.wait(40 * releases, 600), since)
    their_cost = _cost(before, 40 * releases)
    marks.reset()
    before = stack.processor_seconds()
    since = time.time_ns()
    for _ in range(releases):
        stack.start(revision)
    ours = rate(marks.wait(40 * releases, 600), since)
    print(f"{releases} releases x 40: {ours:.0f}/s, bare Celery {theirs:.0f}/s, ratio {ours / theirs:.2f}")
    print(f"  processor time for each activity: {_cost(before, 40 * releases)}; bare Celery {their_cost}")


def _cost(before: dict[str, float], activities: int) -> str:
    spent = {kind: seconds - before.get(kind, 0.0) for kind, seconds in stack.processor_seconds().items()}
    each = {kind: seconds / activities * 1000 for kind, seconds in spent.items() if seconds / activities > 1e-5}
    return f"{sum(each.values()):.1f} ms (" + ", ".join(f"{kind} {cost:.1f}" for kind, cost in each.items()) + ")"


def conflicts() -> None:
    """How long questions about conflicts take among 100,000 planned releases."""
    from tests.benchmarks import conflicts as asking  # noqa: PLC0415

    for question, milliseconds in asking.measure().items():
        print(f"{question}, 100,000 releases planned: {milliseconds} ms")


def live(pages: int, folder: Path) -> None:
    """What open pages cost the web process, and how long a commit takes to reach them, while releases run."""
    from tests.benchmarks import live as listening  # noqa: PLC0415
    from tests.benchmarks import shapes  # noqa: PLC0415

    for line in listening.measure(stack.publish(shapes.forty()), pages, folder / "web.log"):
        print(line)


def follow(pipelines: int, folder: Path) -> None:
    """How late the end of a pipeline is recorded, with many under way at an engine that answers slowly."""
    from tests.benchmarks import follow as following  # noqa: PLC0415

    for line in following.measure(pipelines, folder):
        print(line)


def crowded(releases: int) -> None:
    """How long pages take, and how many queries, among many releases and people with rights on some."""
    from tests.benchmarks import crowded as opening  # noqa: PLC0415

    opening.measure(releases)


def size(marks: Marks) -> None:
    """What a transition costs in releases of different sizes, and with ten times as many releases."""
    from tests.benchmarks import shapes  # noqa: PLC0415

    for length in (10, 100, 1000):
        revision = stack.publish(shapes.chained(length))
        marks.reset()
        stack.start(revision)
        print(f"chain of {length}: median gap {median(gaps(marks.wait(length, 300))):.2f} ms")
    for length in (10, 100, 1000):
        _many(marks, stack.publish(shapes.wide(length)), 1000 // length, length, f"{1000 // length} phases of {length}")
    forty = stack.publish(shapes.forty())
    for releases in (100, 1000):
        _many(marks, forty, releases, shapes.ACTIVITIES, f"{releases} releases x {shapes.ACTIVITIES}")


def _many(marks: Marks, revision: Any, releases: int, each: int, name: str) -> None:
    """Start releases, then measure while they run: the rate, and the processor time of each activity."""
    marks.reset()
    before, since = stack.processor_seconds(), time.time_ns()
    for _ in range(releases):
        stack.start(revision)
    done = rate(marks.wait(releases * each, 3600), since)
    print(f"{name}: {done:.0f}/s, {_cost(before, releases * each)} each")


def with_history(marks: Marks, releases: int, past: int) -> None:
    """The same throughput in a database with many finished activities."""
    from releases.models import Snapshot  # noqa: PLC0415
    from tests.benchmarks import history, shapes  # noqa: PLC0415

    revision = stack.publish(shapes.forty())
    since = time.monotonic()
    history.fill(revision, Snapshot.objects.order_by("id").values_list("id", flat=True)[0], past)
    history.analyze()
    print(f"{past} finished activities inserted in {time.monotonic() - since:.0f} s")
    _many(marks, revision, releases, shapes.ACTIVITIES, f"{releases} releases x {shapes.ACTIVITIES} with that past")
    chain(marks)


if __name__ == "__main__":
    main()
