"""A busy server is killed, again and again; what it acknowledged over the wire is there each time.

KILLS=100 in the environment makes it a long test.
"""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path
from typing import Any, Final

import pytest

KILLS: Final = int(os.environ.get("KILLS", "2"))
KEYS: Final = 40
"""Of each writer; no two writers share one."""
WRITERS: Final = 4
GONE: Final = 0
"""Stands for "durably deleted, or never written" where a number of a value could."""
NOT_FOUND: Final = 2

CONFIG: Final = """
network {{ service {{ address 127.0.0.1
port 0
}} }}
namespace ssd {{
    replication-factor 1
    storage-engine ssd {{
        file {folder}/ssd
        commit-to-device true
        flush-size 64K
    }}
}}
namespace kv {{
    replication-factor 1
    storage-engine kv {{
        file {folder}/kv
        commit-to-device true
    }}
}}
"""


def value(key: int, number: int) -> bytes:
    """What the write of this number gives the record: known to the last byte, of any length."""
    return b"%d/%d:" % (key, number) + random.Random(number).randbytes(number * 997 % 20_000)


class Known:
    """What a writer knows of its records in one namespace."""

    def __init__(self, first: int) -> None:
        self.keys = range(first, first + KEYS)
        self.acknowledged = dict.fromkeys(self.keys, GONE)
        self.tried: dict[int, int] = {}
        """The one write per record, at most, whose answer has not come."""

    def check(self, client: Any, namespace: str) -> None:
        """Each record is as its last acknowledged write left it, or as the one after that did."""
        for key in self.keys:
            code, found = client.get(namespace, key)
            may_be = {self.acknowledged[key], self.tried.get(key, self.acknowledged[key])}
            if code == NOT_FOUND:
                number = GONE
            else:
                assert code == 0
                number = int(found[: found.index(b":")].split(b"/")[1])
                assert found == value(key, number), "half written"
            assert number in may_be, f"{namespace} {key}: {number}, not one of {may_be}"
            self.acknowledged[key] = number
        self.tried.clear()


class Writer:
    """Writes and deletes its records over one connection until that is cut."""

    def __init__(self, client: Any, known: dict[str, Known], seed: int, number: int) -> None:
        self._client = client
        self._known = known
        self._chance = random.Random(seed)
        self.number = number
        self.failed: list[str] = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            while True:
                name = self._chance.choice(list(self._known))
                self._change(name, self._known[name])
        except OSError:  # the server is dead
            return

    def _change(self, namespace: str, known: Known) -> None:
        key = self._chance.choice(known.keys)
        self.number += 1
        if known.acknowledged[key] and self._chance.random() < 0.2:
            known.tried[key] = GONE
            code = self._client.delete(namespace, key, durable=True)
        else:
            known.tried[key] = self.number
            code = self._client.put(namespace, key, value(key, self.number))
        if code:
            self.failed.append(f"{namespace} {key}: {code}")
        else:
            known.acknowledged[key] = known.tried.pop(key)


@pytest.mark.parametrize("seed", [KILLS])
def test_what_a_busy_server_acknowledged_survives_kills(
    seed: int, tmp_path: Path, running: Any, wire: Any
) -> None:
    source = random.Random(seed)
    configuration = tmp_path / "asd.conf"
    configuration.write_text(CONFIG.format(folder=tmp_path))
    known = [
        {name: Known(100_000 * space + KEYS * n) for space, name in enumerate(("ssd", "kv"))}
        for n in range(WRITERS)
    ]
    number = 0
    for life in range(KILLS + 1):
        with running("--config-file", str(configuration)) as (process, port):
            checker = wire(port)
            for records in known:
                for name, space in records.items():
                    space.check(checker, name)
            if life == KILLS:
                break
            writers = [
                Writer(wire(port), records, source.getrandbits(32), number) for records in known
            ]
            time.sleep(source.uniform(0.05, 0.8))
            process.kill()
            for writer in writers:
                writer.thread.join(20)
                assert not writer.thread.is_alive()
                assert not writer.failed
            number = max(writer.number for writer in writers)
    assert number > 2 * KILLS
    assert any(
        space.acknowledged[key] for each in known for space in each.values() for key in space.keys
    )
