"""Reading one file out of an archive that somebody else has made: never more than a given size, whatever it claims."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import Any

ARTIFACT, OUTPUTS = "pilothouse-outputs", "outputs.json"
"""What engines call the artifact that hands outputs back, and the file in it."""
MOST = 256 * 1024
MOST_MEMBERS = 1_000


def read_member(archive: bytes, name: str, *, most: int = MOST) -> bytes | None:
    """Returns a file of a zip archive, None if there is none of that name.

    Raises ValueError with what is wrong if the archive cannot be read or the file is larger than `most` bytes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as found:
            members = found.namelist()
            if len(members) > MOST_MEMBERS:
                raise ValueError("the archive has too many files")
            if name not in members:
                return None
            with found.open(name) as member:
                content = member.read(most + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError("the archive cannot be read") from error
    if len(content) > most:
        raise ValueError(f"{name} is larger than {most} bytes")
    return content


def outputs_in(archive: bytes) -> dict[str, str]:
    """Returns the outputs that a pipeline handed back as `outputs.json` in a zip archive: a mapping of names to values.

    Raises ValueError with what is wrong.
    """
    content = read_member(archive, OUTPUTS)
    if content is None:
        raise ValueError(f"there is no {OUTPUTS} in it")
    return outputs_of(content)


def outputs_of(content: bytes) -> dict[str, str]:
    """Returns the outputs in a JSON mapping; values that are no text become JSON. Raises ValueError."""
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{OUTPUTS} is not JSON") from error
    if not isinstance(found, dict):
        raise ValueError(f"{OUTPUTS} is not a mapping of names to values")  # noqa: TRY004  wrong content, not a wrong type
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}
