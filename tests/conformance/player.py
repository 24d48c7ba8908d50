"""Plays recorded exchanges with the real server against ours, and says what differs.

A recording is one scenario a line: `{"id", "kind", "trids", "steps": [{"send", "recv", ...}]}`.
`README.md` beside this file has the format.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aerospike_common.wire.errors import ProtocolError
from aerospike_common.wire.message import split_messages
from citrusleaf.cf_clock import CITRUSLEAF_EPOCH_S

RECORDINGS = Path(__file__).parent / "recordings"
TIMEOUT_S = 5.0
VOID_TIME_TOLERANCE_S = 20
UNTIL_TRIES = 200
LUA_PATH = re.compile(rb"[^\s:'\"\[\]]*/([A-Za-z0-9_.\-]+\.lua)")
NAMED_ROW = re.compile(rb"[\w.-]+=[^:]*(:[\w.-]+=[^:]*)+")


def scenarios(area: str) -> Iterator[dict[str, Any]]:
    """The scenarios of one area."""
    with gzip.open(RECORDINGS / f"{area}.jsonl.gz", "rt") as lines:
        for line in lines:
            yield json.loads(line)


class Player:
    """One connection to the server under test, reopened when it is closed."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def close(self) -> None:
        """Drop the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def play(self, scenario: dict[str, Any]) -> str:
        """Play a scenario; what is wrong at its first difference, empty when nothing is."""
        if scenario.get("fresh"):
            self.close()
        steps = scenario["steps"]
        fresh_ids = {old: _fresh_id(old) for old in scenario.get("trids", ())}
        for number, step in enumerate(steps):
            data = _with_ids(bytes.fromhex(step["send"]), fresh_ids)
            reply = self._ask_until(data, step) if "until" in step else self._ask(data, step)
            if "until" in step:
                continue
            expected = None if step["recv"] is None else bytes.fromhex(step["recv"])
            if expected:
                expected = _with_ids(expected, fresh_ids)
            problem = difference(step, expected, reply)
            if problem:
                return f"{scenario['id']} ({scenario['kind']}) step {number}: {problem}"
        return ""

    def _ask_until(self, data: bytes, step: dict[str, Any]) -> bytes | None:
        for _ in range(UNTIL_TRIES):
            reply = self._ask(data, step)
            if reply is not None and step["until"].encode() in reply:
                return reply
            time.sleep(0.01)
        return reply

    def _ask(self, data: bytes, step: dict[str, Any]) -> bytes | None:
        """Everything the server answers; None when it closes the connection."""
        silent = step["recv"] == "" and step.get("cmp") != "none"
        try:
            return self._exchange(data, step.get("stream"), 0.2 if silent else TIMEOUT_S)
        except TimeoutError:
            self.close()
            return b""
        except (EOFError, ConnectionError):
            self.close()
            return None

    def _exchange(self, data: bytes, stream: str | None, timeout_s: float) -> bytes:
        if self._socket is None:
            self._socket = socket.create_connection(self._address)
        self._socket.settimeout(timeout_s)
        self._socket.sendall(data)
        out = b""
        while True:
            head = self._exactly(8)
            body = self._exactly(int.from_bytes(head[2:], "big"))
            out += head + body
            if not stream or head[1] != 3 or not body:
                return out
            for message in split_messages(body):
                failed = stream == "query" and message[5] and not message[3] & 4
                if message[3] & 1 or failed:
                    return out

    def _exactly(self, size: int) -> bytes:
        assert self._socket is not None
        parts = b""
        while len(parts) < size:
            part = self._socket.recv(size - len(parts))
            if not part:
                raise EOFError
            parts += part
        return parts


def _fresh_id(old: str) -> int:
    del old  # any unused id does; the length in decimal must stay
    return random.randrange(10**18, 9 * 10**18)


def _with_ids(data: bytes, fresh: dict[str, int]) -> bytes:
    for old, new in fresh.items():
        number = int(old)
        data = data.replace(number.to_bytes(8, "big"), new.to_bytes(8, "big"))
        data = data.replace(str(number).encode(), str(new).encode())
    return data


# ------------------------------------------------------------------ comparing


def difference(step: dict[str, Any], expected: bytes | None, got: bytes | None) -> str:
    """Why `got` is not the recorded answer under the step's rule; empty when it is."""
    rule = step.get("cmp", "bytes")
    if rule == "none":
        return "" if got else "no answer"
    if expected is None or got is None or not expected or not got:
        return "" if expected == got else f"expected {_short(expected)}, got {_short(got)}"
    try:
        same = _RULES[rule](step, expected, got)
    except (ProtocolError, struct.error, IndexError) as error:
        return f"unreadable answer: {error}"
    return "" if same else f"by rule '{rule}' expected {_short(expected)}, got {_short(got)}"


def _short(data: bytes | None) -> str:
    return "a closed connection" if data is None else data[:160].hex() or "silence"


def _bytes(step: dict[str, Any], expected: bytes, got: bytes) -> bool:
    if len(expected) != len(got):
        return False
    left, right = bytearray(expected), bytearray(got)
    for offset, size, _, distance in step.get("volatile", ()):
        void_time = int.from_bytes(got[offset : offset + 4], "big")
        now = int(time.time()) - CITRUSLEAF_EPOCH_S
        if abs(void_time - now - distance) > VOID_TIME_TOLERANCE_S:
            return False
        left[offset : offset + size] = right[offset : offset + size] = bytes(size)
    return left == right


def _messages(data: bytes) -> list[bytes]:
    """The messages of a stream, void-times made alike, however they were framed."""
    found = []
    while data:
        size = 8 + int.from_bytes(data[2:8], "big")
        for message in split_messages(data[8:size]):
            void_time = bytes(4) if message[10:14] == bytes(4) else b"\xff" * 4
            found.append(message[:10] + void_time + message[14:])
        data = data[size:]
    return found


def _ordered(step: dict[str, Any], expected: bytes, got: bytes) -> bool:
    return _messages(expected) == _messages(got)


def _unordered(step: dict[str, Any], expected: bytes, got: bytes) -> bool:
    left, right = _messages(expected), _messages(got)
    return sorted(left[:-1]) == sorted(right[:-1]) and left[-1:] == right[-1:]


def _count(step: dict[str, Any], expected: bytes, got: bytes) -> bool:
    left, right = _messages(expected), _messages(got)
    return len(left) == len(right) and left[-1:] == right[-1:]


def _udf(step: dict[str, Any], expected: bytes, got: bytes) -> bool:
    def plain(data: bytes) -> bytes:
        # The text's length, and with it all sizes, depend on the directory: they are left out.
        void_time = bytes(4) if data[18:22] == bytes(4) else b"\xff" * 4
        body = LUA_PATH.sub(rb"\1", data[30:])
        return data[8:18] + void_time + data[22:30] + (body if body == data[30:] else body[8:])

    return plain(expected) == plain(got)


def _udf_info(step: dict[str, Any], expected: bytes, got: bytes) -> bool:
    def plain(data: bytes) -> bytes:
        def decoded(match: re.Match[bytes]) -> bytes:
            return b"message=" + base64.b64decode(match.group(1))

        return LUA_PATH.sub(rb"\1", re.sub(rb"message=([A-Za-z0-9+/=]+)", decoded, data[8:]))

    return plain(expected) == plain(got)


def _keys(step: dict[str, Any], expected: bytes, got: bytes) -> bool:
    def names(data: bytes) -> list[Any]:
        lines: list[Any] = []
        for line in data[8:].split(b"\n"):
            command, _, value = line.partition(b"\t")
            if value.startswith(b"ERROR:"):
                lines.append((command, value))
                continue
            rows = [
                row.split(b":") if NAMED_ROW.fullmatch(row) else [row] for row in value.split(b";")
            ]
            lines.append((command, [[pair.partition(b"=")[0] for pair in row] for row in rows]))
        return lines

    return names(expected) == names(got)


def _shape(step: dict[str, Any], expected: bytes, got: bytes) -> bool:
    def shape(data: bytes) -> list[tuple[bytes, bool, bool]]:
        pairs = [line.partition(b"\t") for line in data[8:].split(b"\n")]
        return [(name, value.startswith(b"ERROR:"), not value) for name, _, value in pairs]

    return shape(expected) == shape(got)


def _code(step: dict[str, Any], expected: bytes, got: bytes) -> bool:
    return expected[:2] == got[:2] and expected[13:14] == got[13:14]


_RULES = {
    "bytes": _bytes,
    "ordered": _ordered,
    "unordered": _unordered,
    "count": _count,
    "udf": _udf,
    "udfinfo": _udf_info,
    "keys": _keys,
    "shape": _shape,
    "code": _code,
}
