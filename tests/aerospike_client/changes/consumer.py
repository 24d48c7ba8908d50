"""A consumer of changes, a process of its own, that ends as if it was killed at a step that is
asked for: `python consumer.py ADDRESS FOLDER STEP WANTED`.

It does what the page on shipping says: it handles a change (a line of a file), asks how far it is,
and keeps that. It exits with 0 when it has handled WANTED records, with 9 when it was killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from aerospike_client import AsyncClient

KILLED = 9


class Steps:
    """Counts steps, and ends the process at one of them, with nothing said to anybody."""

    def __init__(self, last: int) -> None:
        self._left = last

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            os._exit(KILLED)


async def follow(address: str, folder: Path, step: Steps, wanted: int) -> None:
    position, handled = folder / "position", folder / "handled"
    async with AsyncClient(address) as client:
        step()
        since = float(position.read_text())
        async with client.changes("test", set_name="users", since=since) as changes:
            step()
            async for change in changes:
                step()
                with handled.open("a") as file:
                    file.write(f"{change.user_key} {change.bins.get('x')}\n")
                step()
                if len(set(handled.read_text().split("\n"))) > wanted:
                    return
                reached = await changes.position()
                step()
                (folder / "new").write_text(str(reached))
                step()
                (folder / "new").rename(position)
                step()


if __name__ == "__main__":
    address, folder, last, wanted = sys.argv[1:]
    asyncio.run(follow(address, Path(folder), Steps(int(last)), int(wanted)))
