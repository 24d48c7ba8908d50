"""One fault: which requests it is for, and what happens to them.

What is asked for is told by the kind of command, the namespace, the set, the record and the bins. A
batch is none of the kinds: each of its rows counts as the command it is.

A fault does one of two things. With a result code the request is answered with that and *not*
carried out. Without one it is carried out, at once and to its end, and only the reply suffers: it
comes late, not at all, or in part. So whoever waits in vain for the reply to a write may take it
neither for done nor for undone, and the tests know which it was.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import define, frozen

from aerospike_common.wire.codes import FieldType, Info2, ResultCode
from aerospike_common.wire.message import Message

READ: Final = "read"
WRITE: Final = "write"
DELETE: Final = "delete"
UDF: Final = "udf"
QUERY: Final = "query"
INFO: Final = "info"
CONNECT: Final = "connect"

COMMANDS: Final = (READ, WRITE, DELETE, UDF, QUERY)
"""The kinds of command that a fault is for unless it says otherwise. Clients look after the cluster
by info, and would find none."""
KINDS: Final = (*COMMANDS, INFO, CONNECT)


class Reply(Enum):
    """What becomes of the reply to a request that is carried out."""

    SENT = "sent"
    LOST = "lost"
    """Nothing is sent, and the connection is closed."""
    CUT = "cut"
    """Half of it is sent, and the connection is closed."""


@frozen
class Asked:
    """What a request is about."""

    kind: str
    """One of `KINDS`."""
    namespace: bytes = b""
    set_name: bytes = b""
    digest: bytes = b""
    bins: frozenset[bytes] = frozenset()


def asked(message: Message, digest: bytes | None = None) -> Asked:
    """What a message is about; a row of a batch has its digest beside it."""
    fields = message.fields
    digest = digest or fields.get(FieldType.DIGEST)
    if digest is None:
        kind = QUERY
    elif not message.info2 & Info2.WRITE:
        kind = READ
    elif message.info2 & Info2.DELETE:
        kind = DELETE
    else:
        kind = UDF if FieldType.UDF_PACKAGE in fields else WRITE
    bins = frozenset(op.name for op in message.ops if op.name)
    namespace, set_name = fields.get(FieldType.NAMESPACE, b""), fields.get(FieldType.SET, b"")
    return Asked(kind, namespace, set_name, digest or b"", bins)


@frozen
class Match:
    """Which requests a fault is for; None: whatever it is."""

    kinds: frozenset[str] = frozenset(COMMANDS)
    namespace: bytes | None = None
    set_name: bytes | None = None
    digest: bytes | None = None
    bin: bytes | None = None
    """Requests that name this bin; one for whole records names none."""

    def fits(self, of: Asked) -> bool:
        """Is the fault for this request?"""
        return (
            of.kind in self.kinds
            and self.namespace in (None, of.namespace)
            and self.set_name in (None, of.set_name)
            and self.digest in (None, of.digest)
            and (self.bin is None or self.bin in of.bins)
        )


@define
class Fault:
    """A fault as it stands: what it is, and how often it has struck."""

    match: Match
    code: ResultCode | None = None
    """Requests are answered with this and not carried out; None: they are carried out."""
    delay_s: float = 0.0
    """Before the reply is sent, or the connection closed."""
    reply: Reply = Reply.SENT
    times: int = 1
    """How many requests it strikes; 0: all, until it is removed."""
    hits: int = 0

    @property
    def spent(self) -> bool:
        """It strikes no more."""
        return 0 < self.times <= self.hits
