"""Commands on this machine, with real processes: what they give and how they end."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
import time_machine

from activities.providers import local_spool
from activities.providers.local import LocalRunner
from activities.runners import runner_for
from config.errors import RunnerRefused, RunnerUnavailable
from tests.local_commands import end_of, is_gone, numbers_in, order, run, shell, until, wrapper_of

# What a command gives -------------------------------------------------------------------------------------------------


def test_a_quick_command_is_over_when_its_start_returns(runner: LocalRunner) -> None:
    attempt = count(1)  # on a busy machine one or the other start is late
    until(lambda: runner.start(order("true", key=f"7-{next(attempt)}")).is_over)


def test_a_command_reports_its_log_and_its_outputs(runner: LocalRunner) -> None:
    outcome = run(
        runner, shell("echo building $SERVICE; echo '::output image='$SERVICE:1.0", parameters={"SERVICE": "cart"})
    )
    assert outcome.status == "succeeded"
    assert outcome.outputs == {"image": "cart:1.0"}
    assert outcome.log == "building cart\n::output image=cart:1.0\n"
    assert outcome.error == ""
    assert outcome.look_in is None


def test_errors_go_into_the_same_log_and_the_last_output_of_a_name_counts(runner: LocalRunner) -> None:
    outcome = run(
        runner,
        shell("echo '::output n=1'; echo oops >&2; printf '::output n=a=b c\\r\\n::output no name=1\\n::output n=2'"),
    )
    assert outcome.outputs == {"n": "2"}
    assert "oops\n" in outcome.log


def test_a_failing_command_tells_its_exit_status(runner: LocalRunner) -> None:
    outcome = run(runner, shell("echo '::output seen=yes'; exit 3"))
    assert (outcome.status, outcome.error) == ("failed", "The command ended with exit status 3.")
    assert outcome.outputs == {"seen": "yes"}


def test_a_command_ended_by_a_signal_fails_and_names_it(runner: LocalRunner) -> None:
    outcome = run(runner, shell("kill -SEGV $$"))
    assert (outcome.status, outcome.error) == ("failed", "The command was ended by SIGSEGV.")


def test_a_program_that_does_not_exist_fails_clearly(runner: LocalRunner) -> None:
    outcome = run(runner, order("no-such-program"))
    assert outcome.status == "failed"
    assert outcome.error == "The command 'no-such-program' could not be started: No such file or directory."


def test_a_command_sees_its_parameters_and_little_else(runner: LocalRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://not-for-commands")
    outcome = run(runner, order("env", parameters={"SERVICE": "cärt"}))
    names = {line.partition("=")[0] for line in outcome.log.splitlines()}
    assert {"PATH", "LANG", "SERVICE", "PILOTHOUSE_KEY", "PILOTHOUSE_SCRATCH"} <= names
    assert names <= {"PATH", "HOME", "LANG", "TZ", "SERVICE", "PILOTHOUSE_KEY", "PILOTHOUSE_SCRATCH", "PWD"}
    assert "SERVICE=cärt\n" in outcome.log
    assert "PILOTHOUSE_KEY=7-1\n" in outcome.log


def test_each_attempt_works_in_a_fresh_directory(runner: LocalRunner) -> None:
    first = run(runner, shell("pwd; ls -A; touch here", key="7-1"))
    second = run(runner, shell("pwd; ls -A; touch here", key="7-2"))
    assert first.log != second.log
    assert "here" not in second.log.splitlines()


def test_a_command_cannot_read_and_does_not_wait_for_input(runner: LocalRunner) -> None:
    assert run(runner, order("cat")).status == "succeeded"


def test_the_log_arrives_while_the_command_runs_and_no_character_is_cut(runner: LocalRunner, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wanted = shell(f"printf 'gr\\303'; while [ ! -e {go} ]; do sleep 0.05; done; printf '\\274n\\n'")
    runner.start(wanted)
    first = until(lambda: outcome if (outcome := runner.look(wanted, "7-1", 0)).log else None)
    assert (first.status, first.log, first.log_offset) == ("running", "gr", 2)
    go.touch()
    last = until(lambda: outcome if (outcome := runner.look(wanted, "7-1", 2)).is_over else None)
    assert last.log == "ün\n"


def test_a_nul_does_not_reach_the_database(runner: LocalRunner) -> None:
    outcome = run(runner, shell("printf 'a\\000b\\n::output v=c\\000d\\n'"))
    assert "\0" not in outcome.log + outcome.outputs["v"]


def test_a_big_log_keeps_its_head_and_its_tail(tmp_path: Path) -> None:
    runner = LocalRunner(tmp_path / "spool", enabled=True, log_limit=2000)
    outcome = run(runner, shell("seq 1 100000; echo '::output last=seen'"))
    assert outcome.log.startswith("1\n2\n3\n")
    assert outcome.log.endswith("99999\n100000\n::output last=seen\n")
    assert f"[{588_895 + 19 - 2000} bytes dropped here" in outcome.log
    assert len(outcome.log) < 2200
    assert outcome.outputs == {"last": "seen"}


def test_an_output_line_that_is_too_long_is_not_taken_and_the_log_says_so(runner: LocalRunner) -> None:
    outcome = run(
        runner, shell("printf '::output big='; head -c 70000 /dev/zero | tr '\\0' x; echo; echo '::output small=1'")
    )
    assert outcome.outputs == {"small": "1"}
    assert outcome.log.endswith("[1 output lines were too long or too many and were not taken]\n")


def test_looks_become_rarer_the_longer_it_runs(runner: LocalRunner, tmp_path: Path) -> None:
    wanted = order("sleep", "60")
    runner.start(wanted)
    claim = until(lambda: local_spool.read(str(runner.spool / "7-1"), local_spool.CLAIM))
    found = []
    for seconds in (0.1, 8, 600):
        with time_machine.travel(claim["at"] + seconds, tick=False):
            found.append(runner.look(wanted, "7-1", 0).look_in)
    assert found == [pytest.approx(0.2), pytest.approx(2.0), 5.0]


# Secrets --------------------------------------------------------------------------------------------------------------


def test_secrets_are_masked_also_across_pieces_and_in_outputs(runner: LocalRunner) -> None:
    wanted = shell(
        "printf 'key hun'; sleep 0.2; printf 'ter2 end\\n'; echo \"::output got=$PASSWORD/x\"; echo $PILOTHOUSE_SECRET",
        parameters={"PASSWORD": "hunter2"},
        secret="connection-secret",
        masks=("hunter2",),
    )
    outcome = run(runner, wanted)
    assert outcome.log == "key *** end\n::output got=***/x\n***\n"
    assert outcome.outputs == {"got": "***/x"}


def test_a_secret_that_a_command_prints_slowly_or_encoded_is_masked(runner: LocalRunner) -> None:
    script = """
        import base64, os, sys, time, urllib.parse
        secret = os.environ["PASSWORD"]
        for piece in (secret[:3], secret[3:7], secret[7:] + "\\n"):
            os.write(1, piece.encode())
            time.sleep(0.3)
        print(base64.b64encode(secret.encode()).decode())
        print(base64.b64encode(b"deployer:" + secret.encode()).decode())
        print("https://example.org/?key=" + urllib.parse.quote(secret, safe=""), flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    outcome = run(runner, order(*command, parameters={"PASSWORD": "p@ss/w ord!"}, masks=("p@ss/w ord!",)))
    first, second, third, fourth = outcome.log.splitlines()
    assert (first, second, fourth) == ("***", "***", "https://example.org/?key=***")
    assert third.startswith("ZGVwbG95ZXI6***")
    assert outcome.status == "succeeded"


def test_no_secret_reaches_the_disk_or_a_command_line_of_ours(runner: LocalRunner) -> None:
    wanted = shell("sleep 60", parameters={"PASSWORD": "hunter2-on-disk"}, masks=("hunter2-on-disk",))
    runner.start(wanted)
    wrapper = psutil.Process(wrapper_of(runner))
    files = [path.read_bytes() for path in runner.spool.rglob("*") if path.is_file()]
    assert not [content for content in files if b"hunter2" in content]
    assert "hunter2" not in " ".join(wrapper.cmdline())
    assert "hunter2" not in repr(wanted)


def test_a_faulty_order_names_everything_wrong_but_no_value(runner: LocalRunner) -> None:
    faulty = order("", connection={"grace": "soon"}, parameters={"A-B": "v", "PILOTHOUSE_KEY": "v", "NUL": "hunter2\0"})
    with pytest.raises(RunnerRefused) as caught:
        runner.start(faulty)
    for words in ("no program name", "'A-B'", "PILOTHOUSE_KEY uses", "NUL contains", "grace"):
        assert words in caught.value.message
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize("key", ["", "..", "../x", "a/b", ".hidden"])
def test_a_key_cannot_leave_the_spool(runner: LocalRunner, key: str) -> None:
    with pytest.raises(RunnerRefused):
        runner.start(order("true", key=key))


# How it ends ----------------------------------------------------------------------------------------------------------


def test_a_timeout_ends_grandchildren_too_even_those_that_left_the_group(runner: LocalRunner, tmp_path: Path) -> None:
    # sh (ignores TERM) -> sleep in the group; setsid sleep outside of it
    numbers = tmp_path / "numbers"
    text = f"n={numbers}; trap '' TERM; sleep 300 & echo $! >>$n; setsid sleep 300 & echo $! >>$n; echo $$ >>$n; wait"
    wanted = shell(text, timeout=0.5)
    runner.start(wanted)
    pids = numbers_in(numbers, 3)
    outcome = end_of(runner, wanted)
    assert (outcome.status, outcome.error) == ("timed_out", "Timed out after 0.5 s.")
    until(lambda: all(map(is_gone, pids)))


def test_a_command_may_clean_up_within_the_grace(runner: LocalRunner) -> None:
    wanted = shell("trap 'echo cleaning; exit 0' TERM; sleep 300 & wait", timeout=0.3, connection={"grace": 15})
    outcome = run(runner, wanted)
    assert (outcome.status, outcome.log) == ("timed_out", "cleaning\n")


def test_what_a_command_leaves_in_its_group_is_killed_and_does_not_hold_the_result_up(
    runner: LocalRunner, tmp_path: Path
) -> None:
    numbers = tmp_path / "numbers"
    wanted = shell(f"sleep 300 & echo $! >{numbers}; echo done")
    outcome = run(runner, wanted)
    assert (outcome.status, outcome.log) == ("succeeded", "done\n")
    [pid] = numbers_in(numbers, 1)
    until(lambda: is_gone(pid))


def test_a_cancelled_command_ends(runner: LocalRunner, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers"
    wanted = shell(f"echo $$ >{numbers}; exec sleep 300")
    runner.start(wanted)
    [pid] = numbers_in(numbers, 1)
    runner.cancel(wanted, "7-1")
    assert (end_of(runner, wanted).status, until(lambda: is_gone(pid))) == ("cancelled", True)


def test_a_command_cancelled_before_its_start_never_runs(runner: LocalRunner, tmp_path: Path) -> None:
    wanted = order("touch", str(tmp_path / "effect"))
    runner.cancel(wanted, "")
    outcome = runner.start(wanted)
    assert (outcome.status, outcome.error) == ("cancelled", "Cancelled before the start.")
    assert not (tmp_path / "effect").exists()


def test_cancelling_what_is_over_changes_nothing(runner: LocalRunner) -> None:
    wanted = order("true")
    run(runner, wanted)
    runner.cancel(wanted, "7-1")
    assert end_of(runner, wanted).status == "succeeded"


def test_a_wrapper_told_to_end_ends_its_command_and_says_so(runner: LocalRunner) -> None:
    wanted = order("sleep", "300")
    runner.start(wanted)
    os.kill(wrapper_of(runner), signal.SIGTERM)
    outcome = end_of(runner, wanted)
    assert outcome.status == "failed"
    assert outcome.error.startswith("Stopped from outside")


# The spool ------------------------------------------------------------------------------------------------------------


def test_a_forgotten_attempt_is_still_not_started_again(runner: LocalRunner, tmp_path: Path) -> None:
    effect = tmp_path / "effect"
    wanted = shell(f"echo ran >>{effect}; echo much")
    run(runner, wanted)
    runner.forget(["7-1"])
    outcome = runner.start(wanted)
    assert (outcome.status, outcome.log) == ("succeeded", "")
    assert effect.read_text() == "ran\n"


def test_old_attempts_disappear_unless_they_run(runner: LocalRunner) -> None:
    run(runner, order("true", key="1-1"))
    runner.start(order("sleep", "60", key="2-1"))
    assert runner.forget_older(3600, time.time()) == 0
    assert runner.forget_older(3600, time.time() + 7200) == 1
    assert [path.name for path in runner.spool.iterdir()] == ["2-1"]
    assert runner.running() == ["2-1"]


def test_an_attempt_the_spool_does_not_know_is_lost(runner: LocalRunner) -> None:
    assert runner.look(order("true"), "7-1", 0).status == "failed"


def test_a_spool_that_cannot_be_written_means_try_again_later(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("in the way")
    with pytest.raises(RunnerUnavailable, match=r"File exists|Not a directory"):
        LocalRunner(tmp_path / "spool", enabled=True).start(order("true"))


# The register ---------------------------------------------------------------------------------------------------------


def test_switched_off_it_refuses_and_says_how_to_switch_it_on(tmp_path: Path) -> None:
    with pytest.raises(RunnerRefused, match="PILOTHOUSE_LOCAL_PROVIDER=true"):
        LocalRunner(tmp_path / "spool", enabled=False).start(order("true"))
    assert not (tmp_path / "spool").exists()


def test_settings_add_providers_and_an_unknown_one_is_refused_with_the_known_ones(settings: Any) -> None:
    settings.PROVIDERS = {"mine": "activities.providers.local.local_runner", "broken": "no.such.thing"}
    assert runner_for("mine").kind == runner_for("local").kind == "local"
    with pytest.raises(RunnerRefused, match=r"'telepathy'; the known ones are: .*broken, .*local, .*mine"):
        runner_for("telepathy")
    with pytest.raises(RunnerRefused, match="cannot be loaded"):
        runner_for("broken")
