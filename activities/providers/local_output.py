"""What becomes of a local command's output: a log with a size limit, and the values it reports.

Standard library only, few imports: the wrapper pays for them at every start.
"""

from __future__ import annotations

import os

PREFIX = b"::output "
LONGEST_LINE = 65_536
MOST_OUTPUTS = 256


class LogFile:
    """A log of at most about `limit` bytes: its first half as it comes, its last half once the command has ended.

    What lies between is dropped, and the log says how much. A full disk drops output too; it never stops the command.
    """

    def __init__(self, path: str, limit: int) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._half = limit // 2
        self._room = self._half
        self._tail = bytearray()
        self._dropped = 0

    def write(self, data: bytes) -> None:
        """Takes the next bytes of output."""
        if self._room:
            head = data[: self._room]
            self._room -= len(head)
            self._append(head)
            data = data[len(head) :]
        self._tail += data
        if len(self._tail) > 2 * self._half:
            self._trim()

    def close(self) -> None:
        """Writes the notice of what was dropped, and the tail."""
        self._trim()
        if self._dropped:
            notice = f"\n[{self._dropped} bytes dropped here: the log keeps the first and the last {self._half}]\n"
            self._append(notice.encode())
        self._append(bytes(self._tail))
        os.close(self._handle)

    def _trim(self) -> None:
        excess = len(self._tail) - self._half
        if excess > 0:
            self._dropped += excess
            del self._tail[:excess]

    def _append(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._handle, data) :]
            except OSError:
                self._dropped += len(data)
                return


class OutputLines:
    """Collects `::output name=value` lines out of a stream; the last value of a name counts.

    Names are letters, digits, "-" and "_". Lines longer than 65,536 bytes and names beyond the 256th are not taken:
    `refused` counts them.
    """

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.refused = 0
        self._line = b""
        self._too_long = False

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of output."""
        *lines, rest = (self._line + data).split(b"\n")
        for line in lines:
            self._take(line)
        self._line = rest[: LONGEST_LINE + 1]
        self._too_long = self._too_long or len(rest) > LONGEST_LINE

    def close(self) -> None:
        """Takes a last line without an end."""
        self._take(self._line)
        self._line = b""

    def _take(self, line: bytes) -> None:
        too_long, self._too_long = self._too_long or len(line) > LONGEST_LINE, False
        if not line.startswith(PREFIX):
            return
        name, equals, value = line[len(PREFIX) :].rstrip(b"\r").decode(errors="replace").partition("=")
        name = name.strip()
        if not equals or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            return
        if too_long or (name not in self.values and len(self.values) >= MOST_OUTPUTS):
            self.refused += 1
            return
        self.values[name] = value.replace("\0", "\ufffd")
