"""Which user a server's process is: PostgreSQL refuses to run as root, so root dresses it as somebody else.

1. Not root: nothing to do.
2. Root, and the kernel allows user namespaces: the child sees itself as `nobody`, while to everyone else it stays root.
   Files stay root's, nothing is created or opened to others.
3. Root without user namespaces: the child really is `nobody` and owns its folders.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.embedded import State
from config.errors import SetUpFailed

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Dress:
    """How a server's child process is started: in a user namespace, as `owner`, or plainly."""

    inside_namespace: bool = False
    owner: pwd.struct_passwd | None = None

    def options(self, at_death: signal.Signals) -> dict[str, Any]:
        """Keyword arguments for Popen; the child gets `at_death` when the process that starts it dies."""
        parent = os.getpid()

        def before() -> None:
            if self.inside_namespace:
                enter_namespace()
            end_with_parent(at_death, parent)

        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
        options: dict[str, Any] = {"preexec_fn": before, "env": {**clean, "LC_ALL": "C"}, "cwd": "/"}
        if self.owner:
            options |= {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}
        return options

    def give(self, folder: Path) -> None:
        """Makes the child's user the owner of `folder`."""
        if self.owner:
            shutil.chown(folder, self.owner.pw_uid, self.owner.pw_gid)


def dress(place: State, program: Path) -> Dress:
    """The first of the three ways that works here for `program`, a server's executable.

    Raises SetUpFailed when root may not use namespaces and `nobody` cannot reach the state folder or the program.
    """
    if os.geteuid() != 0:
        return Dress()
    if _succeeds(enter_namespace):
        return Dress(inside_namespace=True)
    nobody = pwd.getpwnam("nobody")

    def reach() -> None:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        place.path.parent.stat()
        program.stat()

    if not _succeeds(reach):
        raise SetUpFailed(
            "PostgreSQL may not run as root, and the user nobody, who would run it here, cannot reach "
            f"{place.path} or {program}: run as an ordinary user."
        )
    clothed = Dress(owner=nobody)
    place.path.chmod(0o711)
    clothed.give(place.sockets)
    return clothed


def end_with_parent(number: signal.Signals, parent: int) -> None:
    """Asks the kernel to send this process `number` when its parent dies (Linux only; nothing happens elsewhere)."""
    if not sys.platform.startswith("linux"):
        return
    LIBC.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def enter_namespace() -> None:
    """Makes this root process look like `nobody` to itself. Raises OSError where the kernel refuses."""
    nobody = pwd.getpwnam("nobody")
    if not sys.platform.startswith("linux") or LIBC.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "no user namespace")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{nobody.pw_uid} 0 1")
    Path("/proc/self/gid_map").write_text(f"{nobody.pw_gid} 0 1")


def _succeeds(attempt: Callable[[], None]) -> bool:
    """Tries something irrevocable in a child process."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            attempt()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
