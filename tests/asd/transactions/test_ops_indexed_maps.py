"""That a map has an index is remembered with its record, and never seen on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ParticleType
from aerospike_common.wire.message import Op

MAP, STRING, BLOB = ParticleType.MAP, ParticleType.STRING, ParticleType.BLOB
ENTRIES = {"\x03a": 3, "\x03b": 1, "\x03c": 2}
SET_TYPE = [64, 16]
REPEATED_KEYS = [107, 1, ["\x03b", "\x03c", "\x03b"]]


class Client:
    """One record with a map and a string."""

    def __init__(self, kit: Any, fields: dict[int, bytes]) -> None:
        self.kit, self.fields = kit, fields
        self.wire = kit.Wire(kit.make_node())
        bins = ((b"m", MAP, as_msgpack.pack(ENTRIES)), (b"s", STRING, b"x"))
        assert self.wire.call(kit.put(1, *bins, fields=fields)).result_code == 0

    def modify(self, *ops: Op) -> None:
        request = self.kit.request(1, info2=Info2.WRITE, ops=ops, fields=self.fields)
        assert self.wire.call(request).result_code == 0

    def cdt(self, op: list[Any]) -> Op:
        return Op(OpType.CDT_MODIFY, BLOB, b"m", as_msgpack.pack(op))

    def is_indexed(self) -> bool:
        op = Op(OpType.CDT_READ, BLOB, b"m", as_msgpack.pack(REPEATED_KEYS))
        reply = self.wire.call(self.kit.request(1, info1=Info1.READ, ops=[op]))
        answer = as_msgpack.unpack(reply.ops[0].value)
        assert answer in ([1, 2, 1], [2, 1])
        return bool(answer == [1, 2, 1])

    def whole(self) -> bytes:
        """The ops of a whole-record reply, asked for again and again, and by a batch as well."""
        replies = {self.wire.send(self.kit.get(1))[8 + 22 :] for _ in range(3)}
        assert len(replies) == 1
        return bytes(replies.pop())


@pytest.mark.parametrize("key", [None, b"\x03key"])
def test_an_index_is_remembered_and_not_shown(kit: Any, key: bytes | None) -> None:
    client = Client(kit, {} if key is None else {FieldType.KEY: key})
    before = client.whole()
    assert not client.is_indexed()
    for _ in range(2):  # the general way, and a short cut
        client.modify(client.cdt(SET_TYPE))
        assert client.is_indexed()
        assert client.whole() == before
    # another bin, another entry, the key
    client.modify(Op(OpType.WRITE, STRING, b"s", b"x"))
    client.modify(client.cdt([67, "\x03a", 3]))
    assert client.is_indexed()
    assert client.whole() == before
    client.modify(client.cdt([64, 0]))
    assert not client.is_indexed()
    client.modify(client.cdt(SET_TYPE))
    client.modify(Op(OpType.WRITE, MAP, b"m", as_msgpack.pack(ENTRIES)))
    assert not client.is_indexed()
    assert client.whole() == before
