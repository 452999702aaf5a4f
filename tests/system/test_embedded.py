"""The embedded servers: started by the first user, shared, stopped after the last one, never lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from config.embedded import DATABASE_NAME, DATABASE_USER, Hold, State, is_kept
from config.errors import SetUpFailed
from tests.system.installation import processes_of, wait_until

pytestmark = pytest.mark.system


@pytest.fixture
def place(tmp_path: Path) -> Iterator[State]:
    made = State(tmp_path / "state", throwaway=True)
    yield made
    wait_until(lambda: not processes_of(made.path), "the servers stop")


def connect(place: State) -> psycopg.Connection:
    return psycopg.connect(host=str(place.sockets), user=DATABASE_USER, dbname=DATABASE_NAME, autocommit=True)


def test_two_users_share_the_servers_and_the_last_one_turns_them_off(place: State) -> None:
    first = Hold(place)
    second = Hold(place)
    with connect(place) as database:
        database.execute("create table kept (number int)")
        database.execute("insert into kept values (7)")
    first.release()
    assert is_kept(place)
    assert redis.Redis(unix_socket_path=str(place.broker_socket)).ping()
    second.release()
    assert not is_kept(place)
    assert not processes_of(place.path)

    third = Hold(place)
    with connect(place) as database:
        assert database.execute("select number from kept").fetchone() == (7,)
    third.release()


def test_servers_die_with_their_keeper_and_come_back_for_the_next_user(place: State) -> None:
    first = Hold(place)
    keeper = next(pid for pid, command in processes_of(place.path).items() if "config.keeper" in command)
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: not processes_of(place.path), "the servers follow their keeper")
    second = Hold(place)
    with connect(place) as database:
        assert database.execute("select 1").fetchone() == (1,)
    first.release()
    second.release()


def test_a_killed_server_is_started_again_under_its_users(place: State) -> None:
    hold = Hold(place)
    broker = next(pid for pid, command in processes_of(place.path).items() if "valkey-server" in command)
    os.kill(broker, signal.SIGKILL)

    def answers() -> bool:
        try:
            return bool(redis.Redis(unix_socket_path=str(place.broker_socket)).ping())
        except redis.ConnectionError:
            return False

    wait_until(answers, "the broker answers again")
    hold.release()


def test_pid_files_that_a_crash_left_do_not_hinder_a_start(place: State) -> None:
    Hold(place).release()
    stale = f"{os.getpid()}\n{place.path}/postgres\n1\n5432\n{place.sockets}\n\n1 1\nready\n"
    (place.path / "postgres" / "postmaster.pid").write_text(stale)
    (place.sockets / ".s.PGSQL.5432.lock").write_text(stale)
    hold = Hold(place)
    with connect(place) as database:
        assert database.execute("select 1").fetchone() == (1,)
    hold.release()


def test_data_of_another_major_version_is_refused_with_a_sentence(place: State) -> None:
    Hold(place).release()
    (place.path / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(SetUpFailed, match=r"was made by PostgreSQL 12, this is \d+: dump it there"):
        Hold(place)
    assert not processes_of(place.path)


def test_a_folder_with_a_long_path_gets_its_sockets_elsewhere(tmp_path: Path) -> None:
    place = State(tmp_path / ("long" * 20) / "state", throwaway=True)
    assert len(str(place.sockets)) < 90
    assert place.path not in place.sockets.parents
    hold = Hold(place)
    with connect(place) as database:
        assert database.execute("select 1").fetchone() == (1,)
    hold.release()


def test_a_socket_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    place = State(tmp_path / "state")
    place.make()
    place.sockets.chmod(0o755)
    with pytest.raises(SetUpFailed, match="is open to others or belongs to somebody else: remove it"):
        Hold(place)


def test_a_file_in_place_of_the_state_folder_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(SetUpFailed, match=r"Cannot write to .*state"):
        Hold(State(tmp_path / "state"))
