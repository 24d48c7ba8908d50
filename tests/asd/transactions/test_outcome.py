"""Decisions and their ends: what is decided changes nothing until it is committed."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from aerospike_common.wire.codes import Info1, Info2, OpType, ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Op, parse_message
from asd.transactions.decision import Effect
from asd.transactions.delete import delete
from asd.transactions.read import read
from asd.transactions.transaction import Transaction
from asd.transactions.write import write

BIN = (b"a", ParticleType.INTEGER, struct.pack(">q", 5))


def transaction(node: Any, kit: Any, request: bytes) -> Transaction:
    namespace = node.namespaces[b"test"]
    counters = namespace.statistics.client
    return Transaction(
        namespace, parse_message(request[8:]), kit.digest(1), node.expressions, counters
    )


def test_a_decision_changes_nothing(kit: Any) -> None:
    node = kit.make_node()
    kit.Wire(node).send(kit.put(1, BIN))
    engine = node.namespaces[b"test"].engine
    before = engine.get(kit.digest(1))
    increment = [Op(OpType.INCR, ParticleType.INTEGER, b"a", struct.pack(">q", 1))]
    decided = write(transaction(node, kit, kit.request(1, info2=Info2.WRITE, ops=increment)))
    assert engine.get(kit.digest(1)) == before
    assert decided.effect is Effect.WRITTEN
    assert decided.change is not None
    assert (decided.change.digest, decided.change.old) == (kit.digest(1), before)
    assert decided.change.new is not None
    assert decided.change.new[0] == 2
    gone = delete(transaction(node, kit, kit.request(1, info2=Info2.WRITE | Info2.DELETE)))
    assert gone.change is not None
    assert (gone.change.old, gone.change.new) == (before, None)
    assert engine.get(kit.digest(1)) == before


def test_a_read_decides_no_change(kit: Any) -> None:
    node = kit.make_node()
    kit.Wire(node).send(kit.put(1, BIN))
    decided = read(transaction(node, kit, kit.get(1)))
    assert decided.change is None
    assert (decided.reply.code, decided.reply.generation) == (ResultCode.OK, 1)


def test_the_change_of_an_expired_record_knows_what_stands_in_the_store(kit: Any) -> None:
    node = kit.make_node()
    kit.Wire(node).send(kit.put(1, BIN, record_ttl=10))
    node.clock.advance(20)
    dead = node.namespaces[b"test"].engine.get(kit.digest(1))
    assert dead is not None
    decided = write(transaction(node, kit, kit.put(1, BIN)))
    assert decided.change is not None
    assert decided.change.old == dead
    assert decided.change.new is not None
    assert decided.change.new[0] == 1  # a new record


@pytest.mark.parametrize("exists", [True, False])
def test_a_refusal_of_the_door_tells_of_the_record(
    kit: Any, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    node = kit.make_node()
    wire, namespace = kit.Wire(node), node.namespaces[b"test"]
    wire.send(kit.put(1, BIN))

    def refuse(change: Any) -> None:
        raise OperationError(ResultCode.DEVICE_OVERLOAD, "too fast")

    monkeypatch.setattr(namespace, "commit", refuse)
    both = {"info1": Info1.READ, "info2": Info2.WRITE}
    increment = [Op(OpType.INCR, ParticleType.INTEGER, b"a", struct.pack(">q", 1))]
    reply = wire.call(kit.request(1 if exists else 2, ops=increment, **both))
    assert reply.result_code == ResultCode.DEVICE_OVERLOAD
    assert reply.generation == (1 if exists else 0)
    assert namespace.statistics.client.write_error == 1
    assert namespace.statistics.client.write_success == 1
