"""Who of a local attempt is alive, and how to end it without ever hitting a stranger.

A process mark is {"pid", "started"}: the start moment, with the boot it belongs to, tells a process from a later one
that got the same number. Standard library only and few imports, because every start of a command waits for them.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable

from activities.providers import local_spool as spool

PASSES = 5

TYPE_CHECKING = False  # as in local_spool
if TYPE_CHECKING:
    from activities.providers.local_spool import Document


def mark_of(pid: int) -> Document:
    """Returns the mark of a process."""
    return {"pid": pid, "started": started(pid)}


def started(pid: int) -> str:
    """Returns when a process started, as boot and clock ticks; "" when it is gone or only waits to be buried.

    Without /proc there are no start moments: then a living process answers "unknown" and reuse of numbers goes unseen.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "unknown" if not os.path.exists("/proc/self/stat") and exists(pid) else ""
    return "" if fields[0] in (b"Z", b"X") else f"{this_boot()}/{int(fields[19])}"


@functools.cache
def this_boot() -> str:
    """Returns the kernel's name for the time since the machine started."""
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read().decode().strip()


def exists(pid: int) -> bool:
    """Says whether a process has this number now."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_alive(mark: Document) -> bool:
    """Says whether the marked process itself still runs, not another one with its number."""
    now = started(mark["pid"])
    return now != "" and now == str(mark["started"])


def send(pid: int, number: int, is_ours: Callable[[], bool]) -> bool:
    """Signals a process if it is ours; False when it is not, or gone.

    The handle is opened before the question is asked: so the number cannot change hands between answer and signal.
    """
    try:
        handle = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return is_ours() and signalled(os.kill, pid, number)
    try:
        return is_ours() and signalled(signal.pidfd_send_signal, handle, number)
    finally:
        os.close(handle)


def signalled(kill: Callable[[int, int], None], target: int, number: int) -> bool:
    """Calls a killing function; False when nobody, or nobody of ours, is there to be signalled."""
    try:
        kill(target, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def kill_what_is_left(directory: str) -> None:
    """Kills the processes of an attempt whose wrapper is gone.

    While the command itself lives, its group is certainly ours; what is left of a group without its leader is known by
    its environment only.
    """
    group = spool.read(directory, spool.GROUP)
    if group is not None and is_alive(group):
        signalled(os.killpg, group["pid"], signal.SIGKILL)
    kill_by_scratch(directory)


def kill_by_scratch(directory: str) -> None:
    """Kills every process with this attempt's scratch directory in its environment, however it left the group.

    Looks again until it finds none, because they may be starting others, but not for ever.
    """
    sign = f"{spool.SCRATCH_VARIABLE}={os.path.join(directory, spool.SCRATCH)}".encode()
    for _ in range(PASSES):
        found = [pid for pid in all_numbers() if carries(pid, sign)]
        if not [pid for pid in found if send(pid, signal.SIGKILL, functools.partial(carries, pid, sign))]:
            return


def all_numbers() -> list[int]:
    """Returns the numbers of all processes, none where there is no /proc."""
    names = os.listdir("/proc") if os.path.exists("/proc/self/stat") else []
    return [int(name) for name in names if name.isdigit()]


def carries(pid: int, sign: bytes) -> bool:
    """Says whether a process was started with this entry in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return sign in file.read().split(b"\0")
    except OSError:
        return False
