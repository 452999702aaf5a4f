"""GO Feature Flag's own evaluation of flags, which its provider for Python carries as WebAssembly.

This file is run by itself, with the folder of `wasmtime` on its path and the module as its argument: it is asked in
lines of JSON (a flag, and how many users to ask it for) and answers in lines of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Answer = dict[str, Any]


class Evaluation:
    """Asks it; each flag once."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._known: dict[str, list[Answer]] = {}

    def answers(self, flag: dict[str, Any], users: int) -> list[Answer]:
        """Returns what so many users are answered: `value`, `reason`, `errorCode` and more."""
        question = json.dumps([flag, users])
        if question not in self._known:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            print(question, file=self._process.stdin, flush=True)
            self._known[question] = json.loads(self._process.stdout.readline())
        return self._known[question]


@contextmanager
def evaluation(wasmtime: Path, module: Path) -> Iterator[Evaluation]:
    """What answers for flags, as long as the block lasts."""
    command = [sys.executable, __file__, str(module)]
    environment = {**os.environ, "PYTHONPATH": str(wasmtime)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        try:
            yield Evaluation(process)
        finally:
            process.kill()


def _served(module: str) -> None:
    """Answers until nobody asks any more."""
    wasm = importlib.import_module("wasmtime")
    engine = wasm.Engine()
    store, linker = wasm.Store(engine), wasm.Linker(engine)
    store.set_wasi(wasm.WasiConfig())
    linker.define_wasi()
    found = linker.instantiate(store, wasm.Module.from_file(engine, module)).exports(store)
    with suppress(wasm.ExitTrap):
        found["_start"](store)
    for line in sys.stdin:
        flag, users = json.loads(line)
        sys.stdout.write(f"{json.dumps([_answer(found, store, flag, user) for user in range(users)])}\n")
        sys.stdout.flush()


def _answer(found: Any, store: Any, flag: dict[str, Any], user: int) -> Answer:
    known = {"targetingKey": f"user-{user}", str(flag.get("bucketingKey", "key")): f"bucket-{user}"}
    context: dict[str, Any] = {"defaultSdkValue": None, "evaluationContextEnrichment": {}}
    asked = json.dumps({"flagKey": "new-checkout", "flag": flag, "evalContext": known, "flagContext": context}).encode()
    place = found["malloc"](store, len(asked) + 1)
    found["memory"].write(store, asked + b"\0", place)
    told = found["evaluate"](store, place, len(asked))
    start, size = told >> 32 & 0xFFFFFFFF, told & 0xFFFFFFFF
    answer: Answer = json.loads(bytes(found["memory"].read(store, start, start + size)))
    found["free"](store, place)
    return answer


if __name__ == "__main__":
    _served(sys.argv[1])
