"""Histories of registers that are linearizable, and such that are not."""

from __future__ import annotations

from cluster.simulation.registers import Kind, Operation, Told, explain


def op(kind: Kind, began: float, ended: float, value=None, expected=None, told=Told.DONE):
    return Operation(kind, began, value, expected, ended, told)


def test_histories_that_are_explained():
    write = op(Kind.WRITE, 1, 4, b"1")
    assert explain([write, op(Kind.READ, 2, 3, None)], None, b"1") == ""
    assert explain([write, op(Kind.READ, 2, 3, b"1")], None, b"1") == ""
    doubt = Operation(Kind.WRITE, 1, b"2")
    assert explain([doubt], b"0", b"0") == ""
    assert explain([doubt, op(Kind.READ, 5, 6, b"2")], b"0", b"2") == ""
    assert explain([op(Kind.SWAP, 1, 2, b"2", b"1", Told.REFUSED)], b"0", b"0") == ""


def test_histories_that_nothing_explains():
    write, again = op(Kind.WRITE, 1, 2, b"1"), op(Kind.WRITE, 3, 4, b"2")
    assert explain([write, op(Kind.READ, 3, 4, None)], None, b"1")
    assert explain([write, again], None, b"1")
    assert explain([write, again, op(Kind.READ, 5, 6, b"1")], None, b"2")
    undone = op(Kind.WRITE, 1, 9, b"3", told=Told.UNDONE)
    assert explain([undone, op(Kind.READ, 5, 6, b"3")], None, None)
    swap = op(Kind.SWAP, 3, 4, b"2", b"1", Told.REFUSED)
    assert explain([write, swap], None, b"1")
