"""A real Buildbot: a master and a worker of its own on this machine, put into an environment once with pip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.installed import free_port, installed, make_environment, read, run, serving

VERSION = "4.3.0"
PASSWORD = "bb-secret"
MASTER = """
from buildbot.plugins import schedulers, steps, util, worker
c = BuildmasterConfig = {{"protocols": {{"pb": {{"port": "tcp:{pb}:interface=127.0.0.1"}}}}}}
c["buildbotNetUsageData"] = None
c["db"] = {{"db_url": "sqlite:///state.sqlite"}}
c["workers"] = [worker.Worker("w1", "pw", max_builds=1)]
image = util.Interpolate("echo '{{\\"image\\": \\"cart:%(prop:version)s\\"}}'")
hand = steps.SetPropertyFromCommand(command=["sh", "-c", image], property="pilothouse_outputs")
say = steps.ShellCommand(name="say", command=["echo", util.Interpolate("deploying %(prop:version)s dry=%(prop:dry)s")])
works = {{
    "deploy": [say, hand],
    "broken": [say, steps.ShellCommand(name="test", command=["sh", "-c", "echo it does not hold; exit 3"])],
    "slow": [steps.ShellCommand(name="wait", command=["sleep", "120"])],
    "talking": [steps.ShellCommand(name="talk", command=["sh", "-c", "echo begun; sleep 6; echo ended"])],
    "merging": [steps.ShellCommand(name="wait", command=["sleep", "120"])],
}}
c["builders"] = [
    util.BuilderConfig(name=n, workernames=["w1"], factory=util.BuildFactory(w), collapseRequests=n == "merging")
    for n, w in works.items()]
fields = [
    util.StringParameter(name="version", default="1", required=True), util.BooleanParameter(name="dry", default=False)]
c["schedulers"] = [
    schedulers.ForceScheduler(name="shop", builderNames=list(works), codebases=[""], properties=fields)]
c["buildbotURL"] = "http://127.0.0.1:{web}/"
c["www"] = {{
    "port": "tcp:{web}:interface=127.0.0.1",
    "auth": util.UserPasswordAuth({{"pilothouse": "bb-secret"}}),
    "authz": util.Authz(
        allowRules=[util.AnyControlEndpointMatcher(role="admins")],
        roleMatchers=[util.RolesFromUsername(roles=["admins"], usernames=["pilothouse"])]),
}}
"""
TAC = """
from twisted.application import service
from buildbot_worker.bot import Worker
application = service.Application("buildbot-worker")
Worker("127.0.0.1", {pb}, "w1", "pw", {folder!r}, 60, umask=None).setServiceParent(application)
"""


def commands() -> Path:
    """The folder of Buildbot's commands. Raises CannotBeHad."""
    return installed(f"buildbot-{VERSION}", _install) / "bin"


def _install(place: Path) -> None:
    make_environment(place, *(f"{name}=={VERSION}" for name in ("buildbot", "buildbot-worker", "buildbot-www")))


@contextmanager
def buildbot(folder: Path, port: int = 0) -> Iterator[str]:
    """The address of a Buildbot with one worker, which keeps everything in `folder`. Raises CannotBeHad."""
    found, web, pb = commands(), port or free_port(), free_port()
    path = {"PATH": f"{found}:{os.environ['PATH']}"}
    run(found / "buildbot", "create-master", folder / "master")
    (folder / "master/master.cfg").write_text(MASTER.format(web=web, pb=pb))
    (folder / "worker").mkdir()
    (folder / "worker/buildbot.tac").write_text(TAC.format(pb=pb, folder=str(folder / "worker")))
    twistd, told = [str(found / "twistd"), "--nodaemon", "--no_save", "-y", "buildbot.tac"], folder / "said"
    address = f"http://127.0.0.1:{web}"
    with (
        serving(twistd, cwd=folder / "master", told=told, environment=path) as wait,
        serving(twistd, cwd=folder / "worker", told=told, environment=path),
    ):
        wait(lambda: b'"connected_to":[{' in read(f"{address}/api/v2/workers"))
        yield address
