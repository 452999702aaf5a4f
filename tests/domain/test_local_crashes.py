"""A command on this machine runs at most once, whoever is killed and whoever asks twice. With real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from activities.providers.local import LocalRunner
from tests.local_commands import end_of, is_gone, numbers_in, order, run, shell, until, wrapper_of

STARTER = """
import sys
from pathlib import Path
from activities.providers.local import LocalRunner
from activities.runners import Order
runner = LocalRunner(Path(sys.argv[1]), enabled=True)
print("ready", flush=True)
sys.stdin.readline()
print(runner.start(Order(sys.argv[2], {}, {"command": ["sh", "-c", sys.argv[3]]})).status, flush=True)
"""


def starter(runner: LocalRunner, key: str, text: str) -> subprocess.Popen[str]:
    """A process that starts an attempt as soon as it gets a line."""
    command = [sys.executable, "-c", STARTER, str(runner.spool), key, text]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def let_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_started_twice_it_runs_once_and_both_get_the_same_answer(runner: LocalRunner, tmp_path: Path) -> None:
    effect = tmp_path / "effect"
    wanted = shell(f"echo ran >>{effect}")
    outcomes = [run(runner, wanted), run(runner, wanted)]
    assert outcomes[0] == outcomes[1]
    assert effect.read_text() == "ran\n"


def test_two_processes_start_one_key_at_once_and_it_runs_once(runner: LocalRunner, tmp_path: Path) -> None:
    for number in range(4):
        effect = tmp_path / f"effect-{number}"
        text = f"echo ran >>{effect}"
        both = [starter(runner, f"{number}-1", text) for _ in range(2)]
        for process in both:
            let_go(process)
        said = {process.communicate()[0].strip() for process in both}
        assert said <= {"running", "succeeded"}
        assert end_of(runner, shell(text, key=f"{number}-1")).status == "succeeded"
        assert effect.read_text() == "ran\n"


@pytest.mark.parametrize("milliseconds", [0, 1, 2, 4, 8, 12, 16, 24, 40, 80])
def test_a_starter_killed_at_any_moment_and_repeated_gives_one_effect(
    runner: LocalRunner, tmp_path: Path, milliseconds: int
) -> None:
    effect = tmp_path / "effect"
    wanted = shell(f"echo ran >>{effect}; sleep 0.2")
    process = starter(runner, "7-1", wanted.spec["command"][2])
    let_go(process)
    time.sleep(milliseconds / 1000)
    process.kill()
    process.wait()
    assert run(runner, wanted).status == "succeeded"
    assert effect.read_text() == "ran\n"


def test_a_start_that_never_got_to_its_wrapper_is_lost_and_then_forbidden(runner: LocalRunner, tmp_path: Path) -> None:
    runner = replace(runner, claim_within=1.0)
    wanted = order("touch", str(tmp_path / "effect"))
    (runner.spool / "7-1").mkdir(parents=True)
    assert runner.look(wanted, "7-1", 0).status == "running"
    outcome = end_of(runner, wanted)
    assert (outcome.status, outcome.error) == ("failed", "Lost before the start: nothing ran.")
    assert runner.start(wanted).error == outcome.error
    assert not (tmp_path / "effect").exists()


def test_orders_cut_off_by_a_crash_run_nothing(runner: LocalRunner, tmp_path: Path) -> None:
    (runner.spool / "7-1").mkdir(parents=True)
    orders = json.dumps({"directory": str(runner.spool / "7-1"), "command": ["touch", str(tmp_path / "effect")]})
    code = "from activities.providers.local_wrapper import main; main()"
    subprocess.run([sys.executable, "-c", code], input=orders[:-20].encode(), check=True)
    assert not (runner.spool / "7-1" / "claim").exists()
    assert run(runner, order("touch", str(tmp_path / "again"))).status == "succeeded"


def test_a_killed_wrapper_means_lost_and_takes_its_command_along(runner: LocalRunner, tmp_path: Path) -> None:
    # wrapper (killed) -> sh -> sleep in the group; setsid sleep outside of it
    numbers = tmp_path / "numbers"
    text = f"echo $$ >>{numbers}; sleep 300 & echo $! >>{numbers}; setsid sleep 300 & echo $! >>{numbers}; wait; wait"
    wanted = shell(text)
    runner.start(wanted)
    pids = numbers_in(numbers, 3)
    os.kill(wrapper_of(runner), signal.SIGKILL)
    outcome = end_of(runner, wanted)
    assert outcome.status == "failed"
    assert outcome.error.startswith("Lost: ")
    until(lambda: all(map(is_gone, pids)))
    assert runner.start(wanted).status == "failed"
    assert len(numbers.read_text().split()) == 3


def test_cancel_works_when_the_wrapper_is_dead(runner: LocalRunner, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers"
    wanted = shell(f"echo $$ >{numbers}; exec sleep 300")
    runner.start(wanted)
    [pid] = numbers_in(numbers, 1)
    os.kill(wrapper_of(runner), signal.SIGKILL)
    until(lambda: is_gone(wrapper_of(runner)))
    runner.cancel(wanted, "7-1")
    assert until(lambda: is_gone(pid))
    assert runner.look(wanted, "7-1", 0).status == "cancelled"


def test_a_claim_whose_number_now_belongs_to_another_process_is_lost_and_the_other_lives(runner: LocalRunner) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    (runner.spool / "7-1").mkdir(parents=True)
    mark = {"pid": bystander.pid, "started": "another-boot/1"}
    for name in ("claim", "group"):
        (runner.spool / "7-1" / name).write_text(json.dumps(mark))
    wanted = order("true")
    assert runner.look(wanted, "7-1", 0).error.startswith("Lost: ")
    runner.cancel(wanted, "7-1")
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_running_command_survives_the_process_group_of_its_starter(runner: LocalRunner, tmp_path: Path) -> None:
    go = tmp_path / "go"
    text = f"while [ ! -e {go} ]; do sleep 0.05; done; echo survived"
    command = [sys.executable, "-c", STARTER, str(runner.spool), "7-1", text]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.communicate(b"\n")[0] == b"ready\nrunning\n"
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    go.touch()
    assert end_of(runner, shell(text)).log == "survived\n"
