"""An engine of jobs in a process of its own: answers late, each job lasts a random while. Run with a delay in seconds.

`GET /jobs/<id>` answers with the moment of the end, so that whoever reads the answer knows how late it is.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

SHORTEST, LONGEST = 60.0, 300.0
jobs: list[float] = []
asked = {"starts": 0, "looks": 0}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request after the other."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            method, path, _ = head.split(b" ", 2)
            lower = head.lower()
            if b"content-length:" in lower:
                await reader.readexactly(int(lower.partition(b"content-length:")[2].split(b"\r\n")[0]))
            if path == b"/asked":
                answer: object = asked
            else:
                await asyncio.sleep(float(sys.argv[1]) * random.uniform(0.5, 1.5))
                answer = job(method, path)
            body = json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def job(method: bytes, path: bytes) -> dict[str, str]:
    """Start a job, or say how it stands."""
    if method == b"POST":
        asked["starts"] += 1
        jobs.append(time.time() + random.uniform(SHORTEST, LONGEST))
        return {"id": str(len(jobs) - 1)}
    asked["looks"] += 1
    ends_at = jobs[int(path.rpartition(b"/")[2])]
    return {"state": "done" if time.time() >= ends_at else "running", "ended_at": str(ends_at)}


async def main() -> None:
    """Listen until killed; say on which port first."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
