"""A connector: servers ship to it, and it passes changes on to an HTTP service or to files.

    python -m aerospike_client.changes --listen 127.0.0.1:8901 --http http://127.0.0.1:8080/changes
    python -m aerospike_client.changes --listen 127.0.0.1:8901 --files /var/lib/changes

At the servers: a data center with `connector true` and the address of it. What is not delivered is
answered so that the server sends it again; while that goes on, later changes of a record wait.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from aerospike_client.changes.change import Change
from aerospike_client.changes.file_sink import ROTATE_BYTES, FileSink
from aerospike_client.changes.http_sink import HttpSink
from aerospike_client.changes.json_records import METADATA_KEY, as_flat_json, as_json
from aerospike_client.changes.receiver import DONE, RETRY, Receiver
from aerospike_client.core.addresses import parse_address

log = logging.getLogger("aerospike_client")

MOST_AT_ONCE: Final = 500
PORT: Final = 8901


class Sink(Protocol):
    """Where changes end."""

    async def deliver(self, changes: Sequence[Change]) -> bool:
        """Take them; False: they are to come again."""

    async def close(self) -> None:
        """End."""


async def pass_on(receiver: Receiver, sink: Sink) -> None:
    """Deliver what servers ship. Ends by cancellation."""
    well = True
    while True:
        received = await receiver.take(MOST_AT_ONCE)
        changes = [each.change for each in received if each.change is not None]
        delivered = await sink.deliver(changes)
        if delivered != well:
            log.warning("changes %s", "are taken again" if delivered else "are not taken")
            well = delivered
        for each in received:
            each.answer(DONE if delivered else RETRY)


async def serve(host: str, port: int, sink: Sink) -> None:
    """Listen, and pass on what comes. OSError when the port can not be had."""
    receiver = Receiver()
    port = await receiver.listen(host, port)
    print(f"listening {host}:{port}", flush=True)
    try:
        await pass_on(receiver, sink)
    finally:
        await receiver.close()
        await sink.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command. Ends by SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m aerospike_client.changes",
        description="Pass on what servers ship to a connector: to an HTTP service, or to files.",
    )
    parser.add_argument("--listen", default=f"127.0.0.1:{PORT}", metavar="HOST:PORT")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--http", metavar="URL", help="POST lines of JSON there")
    where.add_argument("--files", metavar="DIR", type=Path, help="write lines of JSON there")
    parser.add_argument(
        "--rotate-bytes", type=int, default=ROTATE_BYTES, metavar="N", help="size of a file"
    )
    parser.add_argument(
        "--flat", action="store_true", help="bins as members of the object, by their names"
    )
    parser.add_argument(
        "--metadata-key", default=METADATA_KEY, metavar="NAME", help="the member for the rest"
    )
    given = parser.parse_args(arguments)
    shape = partial(as_flat_json, metadata_key=given.metadata_key) if given.flat else as_json
    try:
        host, port = parse_address(given.listen, PORT)
        sink: Sink = (
            HttpSink(given.http, shape)
            if given.http
            else FileSink(given.files, shape, given.rotate_bytes)
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    try:
        asyncio.run(serve(host, port, sink))
    except KeyboardInterrupt:
        log.info("the connector ends")
