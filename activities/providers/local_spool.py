"""The files of one local attempt, shared by the worker's side and the wrapper's side. An attempt's directory holds

- `claim`: written once, before the command starts. Whoever creates it decides for good whether the command runs: the
  wrapper (with its process mark and "at", seconds since 1970), or a cancellation or a verdict of loss (with a status).
- `group`: the process mark of the command, which leads its process group.
- `cancel`: somebody wants the end of it.
- `log`: the masked output; `scratch/`: the command's working directory.
- `status`: written once, when everything is over: {"status", "error", "exit_status", "outputs"}.

Standard library only and few imports, because every start of a command waits for them.
"""

from __future__ import annotations

import json
import os
import time

TYPE_CHECKING = False  # importing typing for this would take 5 ms of every start
if TYPE_CHECKING:
    from typing import Any

    Document = dict[str, Any]

CLAIM, GROUP, CANCEL, LOG, SCRATCH, STATUS = "claim", "group", "cancel", "log", "scratch", "status"
SCRATCH_VARIABLE = "PILOTHOUSE_SCRATCH"
"""Environment variable with the attempt's scratch directory; every process the command starts inherits it."""


def write_once(directory: str, name: str, document: Document) -> bool:
    """Creates a JSON file, whole and on disk or not at all; False when it exists already. Raises OSError."""
    draft = os.path.join(directory, f".{name}.{os.getpid()}.{time.monotonic_ns()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(json.dumps(document).encode())
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, os.path.join(directory, name))
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    sync_directory(directory)
    return True


def read(directory: str, name: str) -> Document | None:
    """Returns the document, or None when there is none."""
    try:
        with open(os.path.join(directory, name), "rb") as file:
            document: Document = json.loads(file.read())
    except FileNotFoundError:
        return None
    return document


def sync_directory(directory: str) -> None:
    """Makes the directory's entries survive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
