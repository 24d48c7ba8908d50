"""Which fault strikes which request, and how often."""

from __future__ import annotations

import pytest

from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ResultCode
from aerospike_common.wire.message import Op, encode_message, parse_message
from asd.faults import CONNECT, INFO, Asked, Fault, Faults, Match, asked
from asd.faults.ready_made import READY_MADE
from citrusleaf.cf_digest import key_digest

DIGEST = key_digest("people", "ada")
FIELDS = {FieldType.NAMESPACE: b"test", FieldType.SET: b"people", FieldType.DIGEST: DIGEST}
OPS = [Op(OpType.WRITE, 1, b"a", bytes(8)), Op(OpType.INCR, 1, b"b", bytes(8))]
READ = Asked("read", b"test", b"people", DIGEST, frozenset({b"a"}))


class Node:
    """What is told of changes."""

    def __init__(self) -> None:
        self.told: list[bool] = []
        self.faults = Faults(self.told.append)


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"info1": Info1.READ | Info1.GET_ALL}, "read"),
        ({"info1": Info1.READ, "info2": Info2.WRITE}, "write"),
        ({"info2": Info2.WRITE | Info2.DELETE}, "delete"),
        ({"info2": Info2.WRITE, "fields": {**FIELDS, FieldType.UDF_PACKAGE: b"m"}}, "udf"),
    ],
)
def test_what_a_message_is_about(more: dict, kind: str) -> None:
    message = parse_message(encode_message(**{"fields": FIELDS, "ops": OPS, **more}))
    assert asked(message) == Asked(kind, b"test", b"people", DIGEST, frozenset({b"a", b"b"}))


def test_a_message_without_a_record_is_a_query() -> None:
    fields = {FieldType.NAMESPACE: b"test", FieldType.SET: b"people"}
    message = parse_message(encode_message(info1=Info1.READ, fields=fields))
    assert asked(message) == Asked("query", b"test", b"people")
    assert asked(message, DIGEST).kind == "read"  # a row of a batch


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(), True),
        (Match(kinds=frozenset({"write"})), False),
        (Match(namespace=b"test", set_name=b"people", digest=DIGEST, bin=b"a"), True),
        (Match(namespace=b"other"), False),
        (Match(set_name=b""), False),
        (Match(digest=bytes(20)), False),
        (Match(bin=b"b"), False),
    ],
)
def test_which_requests_a_fault_is_for(match: Match, fits: bool) -> None:
    assert match.fits(READ) == fits


@pytest.mark.parametrize("of", [Asked(INFO), Asked(CONNECT)])
def test_clients_find_the_cluster_unless_it_is_said(of: Asked) -> None:
    assert not Match().fits(of)
    assert Match(kinds=frozenset({of.kind})).fits(of)


def test_it_strikes_so_often() -> None:
    node = Node()
    fault = Fault(Match(), ResultCode.TIMEOUT, times=2)
    node.faults.add(fault)
    struck = [node.faults.strike(READ) for _ in range(3)]
    assert struck == [fault, fault, None]
    assert fault.hits == 2
    assert node.told == [True, False]
    node.faults._check()


def test_always_until_it_is_removed() -> None:
    node = Node()
    number = node.faults.add(Fault(Match(), ResultCode.TIMEOUT, times=0))
    assert all(node.faults.strike(READ) for _ in range(100))
    assert node.faults.remove(number)
    assert not node.faults.remove(number)
    assert node.faults.strike(READ) is None
    assert node.told == [True, False]
    node.faults._check()


def test_the_first_that_fits_strikes() -> None:
    faults = Node().faults
    late = Fault(Match(), delay_s=1)
    answers = Fault(Match(), ResultCode.TIMEOUT)
    faults.add(late)
    faults.add(answers)
    assert faults.strike(READ, answers_alone=True) is answers
    assert faults.strike(READ) is late
    assert faults.strike(READ) is None
    assert len(faults.all) == 2
    faults.clear()
    assert not faults.all
    faults._check()


def test_connections_are_refused() -> None:
    faults = Node().faults
    assert not faults.refuses()
    faults.add(Fault(Match(kinds=frozenset({CONNECT}))))
    assert [faults.refuses(), faults.refuses()] == [True, False]


def test_what_is_ready_made_names_codes() -> None:
    codes = [each["code"] for each in READY_MADE.values() if "code" in each]
    assert codes
    assert all(code in ResultCode.__members__ for code in codes)
