"""A real Airflow on this machine: its API and scheduler, put into an environment once with pip."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.installed import free_port, installed, make_environment, read, run, serving

VERSION = "3.3.2"
USER, READER, PASSWORD = "deployer", "reader", "af-secret"
DAGS = """
import time
from airflow.sdk import Param, dag, get_current_context, task

PARAMS = {
    "version": Param("1", type="string", description="What to deploy"),
    "replicas": Param(2, type="integer", minimum=1),
    "dry": Param(False, type="boolean"),
    "where": Param("staging", enum=["staging", "prod"]),
    "note": Param(None, type=["null", "string"]),
}

@dag(schedule=None, params=PARAMS, dag_display_name="Deploy the shop", description="To wherever it goes")
def deploy_shop():
    @task
    def deploy():
        print("deploying")

    @task
    def pilothouse_outputs():
        given = get_current_context()["params"]
        print("telling the outputs")
        return {"image": f"shop:{given['version']}", "given": dict(given)}

    deploy() >> pilothouse_outputs()

@dag(schedule=None)
def chatty():
    @task
    def chatter():
        for number in range(2_000):
            print(f"this is the line number {number}")

    chatter()

@dag(schedule=None)
def broken():
    @task
    def migrate():
        print("it does not hold")
        raise ValueError("the table is locked")

    @task
    def never():
        pass

    migrate() >> never()

@dag(schedule=None)
def broken_in_parts():
    @task
    def part(number):
        print(f"this is part {number}")
        if number == 2:
            raise ValueError("part 2 is missing")

    part.expand(number=[0, 1, 2])

@dag(schedule=None)
def slow():
    @task
    def wait():
        print("waiting")
        time.sleep(300)

    wait()

@dag(schedule=None)
def no_mapping():
    @task
    def tell():
        return 7

    tell()

@dag(schedule=None, is_paused_upon_creation=True)
def asleep():
    @task
    def idle():
        pass

    idle()

for made in (deploy_shop, chatty, broken, broken_in_parts, slow, no_mapping, asleep):
    made()
"""


def program() -> Path:
    """The path of the program. Raises CannotBeHad."""
    return installed(f"airflow-{VERSION}", _install) / "bin/airflow"


def _install(place: Path) -> None:
    make_environment(place, f"apache-airflow-core=={VERSION}")


@contextmanager
def airflow(folder: Path, port: int = 0) -> Iterator[str]:
    """The address of an Airflow that runs DAGS and keeps everything in `folder`. Raises CannotBeHad.

    Its DAG processor is left out: the DAGs do not change while it runs.
    """
    path, port = program(), port or free_port()
    environment, address = _environment(folder, port, path.parent), f"http://127.0.0.1:{port}"
    (folder / "dags").mkdir(parents=True)
    (folder / "dags/shop.py").write_text(DAGS)
    (folder / "passwords.json").write_text(json.dumps({USER: PASSWORD, READER: PASSWORD}))
    run(path, "db", "migrate", cwd=folder, environment=environment)
    run(path, "dags", "reserialize", cwd=folder, environment=environment)
    answering, scheduling = [str(path), "api-server"], [str(path), "scheduler", "--skip-serve-logs"]
    with (
        serving(answering, cwd=folder, told=folder / "api-server.log", environment=environment) as wait,
        serving(scheduling, cwd=folder, told=folder / "scheduler.log", environment=environment),
    ):
        wait(lambda: _is_healthy(read(f"{address}/api/v2/monitor/health")))
        yield address


def _is_healthy(told: bytes) -> bool:
    return bool(json.loads(told or b"{}").get("scheduler", {}).get("status") == "healthy")


def _environment(folder: Path, port: int, commands: Path) -> Mapping[str, str]:
    address = f"http://127.0.0.1:{port}"
    wanted = {
        "CORE__DAGS_FOLDER": str(folder / "dags"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__PARALLELISM": "2",
        "CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:user,{READER}:viewer",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": address,
        "API__WORKERS": "1",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    return {"AIRFLOW_HOME": str(folder), "PATH": path, **{f"AIRFLOW__{key}": value for key, value in wanted.items()}}
