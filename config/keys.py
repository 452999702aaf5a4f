"""Keys that this installation made for itself: kept in the state folder, readable by its user only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from config.errors import SetUpFailed


def own_key(folder: Path, name: str) -> str:
    """Returns the key kept in `folder/name`; makes it the first time, once, however many processes ask together.

    Raises SetUpFailed when the folder cannot be written or the key not be read.
    """
    kept = folder / name
    try:
        if not kept.exists():
            _make(kept)
        return kept.read_text().strip()
    except OSError as error:
        raise SetUpFailed(f"Cannot keep the key {kept}: {error.strerror}.") from error


def kept_text(path: str) -> str:
    """Returns what the file `path` holds, without space around it; nothing when no file is named.

    Raises SetUpFailed when it cannot be read.
    """
    try:
        return Path(path).read_text().strip() if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SetUpFailed(f"Cannot read {path}: {error}.") from error


def _make(kept: Path) -> None:
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = kept.with_name(f"{kept.name}.{os.getpid()}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(48))
    try:
        os.link(draft, kept)
    except FileExistsError:
        return
    finally:
        draft.unlink()
