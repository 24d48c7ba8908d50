"""Plays requests, most of them damaged, into a node without sockets, and prints what it answers.

    python mutated_frames.py SEED CONVERSATIONS

A process of its own, so that it can be played with the compiled modules and without: its first line
says which, and every further line is what one conversation was answered. The clock stands still, so
two runs with one seed differ only where the modules do.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import runpy
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from asd.process import compiled

TESTS = Path(__file__).resolve().parents[2]


def recorded() -> list[bytes]:
    """Requests of the recorded exchanges with the real server."""
    found = []
    for path in sorted((TESTS / "conformance" / "recordings").glob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            for line in lines:
                found += [bytes.fromhex(step["send"]) for step in json.loads(line)["steps"]]
    return found


def planned(kit: dict[str, Any]) -> list[bytes]:
    """Requests that have plans, on few records."""
    put, get, request = kit["put"], kit["get"], kit["request"]
    puts = [put(key, (b"a", 1, bytes(7) + bytes([key]))) for key in range(4)]
    puts += [put(key, (b"b", 3, b"text" * key), (b"c", 3, b"more")) for key in range(1, 4)]
    exists = [request(key, info1=33) for key in range(4)]
    return [*puts, *exists, *(get(key) for key in range(5)), *(get(9, set_name=b"other"),)]


def mutated(random: Random, frame: bytes) -> bytes:
    """The frame, damaged more often than not in places that matter: its beginning."""
    data = bytearray(frame)
    match random.randrange(8):
        case 0 | 1:
            near = random.choice((8, 30, 60, len(data)))
            data[random.randrange(min(near, len(data)))] = random.choice((0, 1, 255, 128, 20, 21))
        case 2:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        case 3:
            del data[random.randrange(len(data)) :]
        case 4:
            at = random.randrange(len(data))
            data[at:at] = random.randbytes(random.randrange(1, 5))
        case 5:
            start = random.randrange(len(data))
            del data[start : start + random.randrange(1, 5)]
    return bytes(data)


def conversation(random: Random, plain: list[bytes], rich: list[bytes]) -> Iterator[bytes]:
    """What one client sends, in pieces as they arrive."""
    damage = random.choice((0.0, 0.1, 0.5))
    frames = []
    for _ in range(random.randrange(1, random.choice((8, 150)))):
        frame = random.choice(plain if random.random() < 0.6 else rich)
        frames.append(mutated(random, frame) if random.random() < damage else frame)
    if random.random() < 0.5:
        yield from filter(None, frames)
        return
    data = b"".join(frames)
    while data:
        size = random.choice((1, 7, 40, 300, len(data)))
        yield data[:size]
        data = data[size:]


async def answers(wire: Any, pieces: Iterator[bytes]) -> str:
    """What is written, and how the connection ends."""
    connection, problem = wire.connection, "-"
    for piece in pieces:
        try:
            connection.data_received(piece)
        except Exception as error:  # as the event loop would: the connection is lost
            problem = type(error).__name__
        while connection.busy:
            await asyncio.sleep(0)
        wire.node.turns.end()
        if problem != "-" or wire.transport.closed:
            break
    connection.connection_lost(None)
    written = wire.transport.written
    return f"{problem} {wire.transport.closed} {len(written)} {sha256(written).hexdigest()}"


async def play(seed: int, conversations: int) -> None:
    """Print a line for each conversation, then what the records have become."""
    kit = runpy.run_path(str(TESTS / "asd" / "conftest.py"))
    random, node = Random(seed), kit["make_node"]()
    plain, rich = planned(kit), recorded()
    for _ in range(conversations):
        print(await answers(kit["Wire"](node), conversation(random, plain, rich)))
    for name, namespace in node.namespaces.items():
        rows = [row for partition in range(4096) for row in namespace.engine.scan(partition)]
        print(name.decode(), len(rows), sha256(repr(rows).encode()).hexdigest())
        print([histogram.counts for histogram in namespace.histograms()])


def main() -> None:
    """Say which modules are played, and play."""
    print("compiled" if compiled.use() else "plain")
    logging.disable()
    asyncio.run(play(*map(int, sys.argv[1:])))


if __name__ == "__main__":
    main()
