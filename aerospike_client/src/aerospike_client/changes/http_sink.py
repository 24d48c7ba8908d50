"""Changes to an HTTP service: one POST for what has gathered, a line of JSON each.

A status of 200 to 299 means that all are done; anything else, or no answer in time, that they are
sent again. `http://` alone: a proxy that speaks TLS stands between where that is wanted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from aerospike_client.changes.change import Change

MOST_HEAD: Final = 1 << 16
MOST_BODY: Final = 1 << 20


class HttpSink:
    """Posts to one URL, on one connection as long as it lives."""

    def __init__(self, url: str, shape: Callable[[Change], str], timeout_s: float = 5.0) -> None:
        """ValueError for another URL than http://HOST[:PORT][/PATH]."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"not http://HOST[:PORT][/PATH]: {url}")
        self._host, self._port = parts.hostname, parts.port or 80
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._netloc = parts.netloc.rpartition("@")[2]
        self._shape = shape
        self._timeout_s = timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def deliver(self, changes: Sequence[Change]) -> bool:
        """Post them; whether the service has them."""
        lines = "\n".join(map(self._shape, changes)) + "\n"
        try:
            async with asyncio.timeout(self._timeout_s):
                return 200 <= await self._post(lines.encode()) < 300
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            await self.close()
            return False

    async def _post(self, body: bytes) -> int:
        if self._streams is None or self._streams[1].is_closing():
            self._streams = await asyncio.open_connection(self._host, self._port, limit=MOST_HEAD)
        reader, writer = self._streams
        head = (
            f"POST {self._target} HTTP/1.1\r\nHost: {self._netloc}\r\n"
            f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(text.split(" ", 2)[1])
        fields = dict(line.partition(": ")[::2] for line in text.split("\r\n")[1:] if line)
        size = fields.get("content-length")
        if size is None or fields.get("connection") == "close" or int(size) > MOST_BODY:
            await self.close()  # where its body ends is not worth knowing
        else:
            await reader.readexactly(int(size))
        return status

    async def close(self) -> None:
        """Close the connection."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with contextlib.suppress(OSError):
                await streams[1].wait_closed()
