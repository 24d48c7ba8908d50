"""The fast paths of a node, by the head of the requests that they answer (see the contract).

A head that is not found takes the general way; once that has answered with success, a path is made
for the head, or it is remembered that there is none. A path holds what was true when it was made
(configuration, sets, indexes, observers); whoever changes one of those clears the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType
from aerospike_common.wire.message import Message
from asd.fastpath.collections import collection_read_path, collection_write_path
from asd.fastpath.contract import (
    LARGEST_REQUEST,
    Bar,
    FastPath,
    Kind,
    bars,
    calls_function,
    fits,
)
from asd.fastpath.functions import function_path
from asd.fastpath.many_bins import put_many_path
from asd.fastpath.one_bin import put_one_path
from asd.fastpath.operate import operate_path, plain_operate_path, read_ops_path
from asd.fastpath.reads import filtered_path, read_path
from asd.fastpath.rows import RowPaths
from asd.fastpath.shipped import ShippedWrites
from asd.measures.histogram import Histogram
from asd.measures.statistics import NamespaceStatistics, OriginStatistics
from asd.security.rights import UNRESTRICTED, Rights
from asd.space.commitment import Commitments
from asd.space.namespace import Namespace
from asd.transactions.away import passes_on
from asd.transactions.dispatch import latency_of
from asd.transactions.masked import access_of
from citrusleaf.cf_digest import DIGEST_SIZE

if TYPE_CHECKING:
    from asd.state import NodeState

CAPACITY: Final = 4096
"""Paths kept; a cache that is full starts afresh."""

Entry: TypeAlias = tuple[FastPath, int, Histogram, Commitments | None]
"""A path, the size of the frames it answers, where the time it takes is counted, and what its
replies may have to wait for; None: nothing."""


class Elsewhere(NamedTuple):
    """Requests with one head, as they are passed on (`asd.replication.forwarding`)."""

    size: int
    """Of the frame."""
    namespace: Namespace
    once: bool
    """They write."""
    latency: Histogram
    ttl_ms: int
    """How long the client waits; 0: it does not say."""


_FIELDS: Final = [FieldType.NAMESPACE, FieldType.SET, FieldType.DIGEST]
_RESPOND_ALL: Final = Info2.RESPOND_ALL_OPS
MESSAGE: Final = b"\x02\x03"
"""Protocol version 2, type 3: the first two bytes of nearly every frame."""


def head_size(data: bytes, offset: int) -> int:
    """The length of the head of the request at `offset`: all before the digest.

    Assumes that the digest is the field behind namespace and set. If it is not, what comes out is
    not the head of anything, and no path will be found for it. 0 when the request is too short.
    """
    try:
        field = offset + 34 + data[offset + 33]
        return field + 9 + data[field + 3] - offset
    except IndexError:
        return 0


class FastPaths:
    """The fast paths of one node for those who have the same rights.

    The node's own are for those who may do everything; `of` gives those of others.
    """

    __slots__ = (
        *("_by_rights", "_counted", "_node", "_of_nodes", "_rights", "_without"),
        *("elsewhere", "rows", "shipped", "table"),
    )

    def __init__(
        self,
        node: NodeState,
        rights: Rights = UNRESTRICTED,
        counted: Callable[[NamespaceStatistics], OriginStatistics] = attrgetter("client"),
    ) -> None:
        """`counted`: where what they answer is counted."""
        self._node = node
        self._rights = rights
        self._counted = counted
        self._of_nodes: FastPaths | None = None
        self.elsewhere: dict[bytes, Elsewhere] = {}
        """By the head, requests that are passed on where another node serves the record."""
        self._by_rights: dict[Rights, FastPaths] = {}
        self.rows = RowPaths(node, rights)
        """The paths of rows of batches."""
        self.shipped = ShippedWrites(node, rights)
        """The paths of what another data center ships."""
        self.table: dict[bytes, Entry] = {}
        """Paths by the head of a request."""
        self._without: set[bytes] = set()
        """Heads known to have no path."""

    def of(self, rights: Rights) -> FastPaths:
        """The paths for connections with these rights. O(1)."""
        if rights is self._rights:
            return self
        found = self._by_rights.get(rights)
        if found is None:
            found = self._by_rights[rights] = FastPaths(self._node, rights)
        return found

    def of_nodes(self) -> FastPaths:
        """The paths for what other nodes pass on, which have looked at the rights. O(1)."""
        if self._of_nodes is None:
            self._of_nodes = FastPaths(self._node, self._rights, attrgetter("from_proxy"))
        return self._of_nodes

    def forget(self, rights: Rights) -> None:
        """Rights have changed, or nobody has them any more: what was made under them goes."""
        found = self._by_rights.pop(rights, None)
        if found is not None:
            found.clear()
            if rights.authenticated:
                self._by_rights[rights] = found

    def clear(self) -> None:
        """Forget all paths: something they relied on has changed."""
        self.table.clear()
        self.elsewhere.clear()
        self._without.clear()
        self.rows.clear()
        self.shipped.clear()
        if self._of_nodes is not None:
            self._of_nodes.clear()
        for paths in self._by_rights.values():
            paths.clear()

    def _check(self) -> None:
        """Assert every invariant."""
        assert len(self.table) + len(self._without) <= CAPACITY
        assert not self.table.keys() & self._without
        for head, (_, size, _, waits) in self.table.items():
            assert len(head) + DIGEST_SIZE <= size <= LARGEST_REQUEST
            assert head[:2] == MESSAGE
            assert waits is None or waits in self._waited_for()

    def _waited_for(self) -> list[Commitments]:
        return [namespace.commitments for namespace in self._node.namespaces.values()]

    def learn_elsewhere(
        self, head: bytes, body: bytes, namespace: Namespace, message: Message
    ) -> None:
        """A request like those that begin so was passed on, with success; see `learn`."""
        size = len(body) + 8
        digest = message.fields.get(FieldType.DIGEST)
        if size > LARGEST_REQUEST or body[len(head) - 8 : len(head) + 12] != digest:
            return
        if not passes_on(namespace, message) or list(message.fields)[:3] != _FIELDS:
            return
        if self._rights.watched(message) or access_of(namespace, message, self._rights):
            return
        if len(self.elsewhere) >= CAPACITY:
            self.elsewhere.clear()
        once = bool(message.info2 & Info2.WRITE)
        latency, ttl_ms = latency_of(namespace, message), message.transaction_ttl
        self.elsewhere[head] = Elsewhere(size, namespace, once, latency, ttl_ms)

    def unlearn(self, head: bytes) -> None:
        """Let requests with this head take the general way, until one is learned again."""
        self.table.pop(head, None)

    def wants(self, head: bytes, body: bytes) -> bool:
        """Is it not known yet whether requests with this head have a path, but may they?"""
        known = head in self.table or head in self._without
        return not known and len(body) + 8 <= LARGEST_REQUEST

    def learn(self, head: bytes, body: bytes, message: Message) -> None:
        """Make a path for requests that begin like this one, if it is of a kind that has paths.

        `head` as of `head_size`, `body` the frame's without its header, and what it says; the
        request has been answered, and with success.
        """
        size = len(body) + 8
        digest = message.fields.get(FieldType.DIGEST)
        if body[len(head) - 8 : len(head) + 12] != digest:
            return
        namespace = self._node.namespaces.get(message.fields.get(FieldType.NAMESPACE, b""))
        path = None
        if namespace is not None and list(message.fields)[:3] == _FIELDS:
            barred = self._rights.watched(message) or access_of(namespace, message, self._rights)
            if not barred:
                path = self._make(namespace, message, size - len(head), len(head))
        if len(self.table) + len(self._without) >= CAPACITY:
            self.table.clear()
            self._without.clear()
        if path is None or namespace is None:
            self._without.add(head)
        elif message.info2 & Info2.WRITE:
            waits = namespace.commitments if namespace.door.observers else None
            self.table[head] = path, size, latency_of(namespace, message), waits
        else:
            self.table[head] = path, size, namespace.read_latency, None

    def _make(
        self, namespace: Namespace, message: Message, rest: int, head_size: int
    ) -> FastPath | None:
        """`rest` is the size of all from the digest on."""
        if message.info2 & Info2.DELETE or message.info1 & Info1.BATCH:
            return None
        present = bars(namespace, message)
        counters = self._counted(namespace.statistics)
        if message.info2 & Info2.WRITE:
            return self._make_write(namespace, message, rest, head_size, present)
        if Bar.FILTER in present:
            return filtered_path(self._node, namespace, message, rest, present, counters)
        path = read_path(namespace, message, rest, present, counters)
        if path is not None or not message.ops:
            return path
        if message.info1 != Info1.READ or message.info2 & ~_RESPOND_ALL:
            return None
        if _one_op(message, OpType.CDT_READ):
            if not fits(Kind.COLLECTION_READ, present):
                return None
            return collection_read_path(self._node, namespace, message, rest, counters)
        if not fits(Kind.READ_OPS, present):
            return None
        set_name = message.fields[FieldType.SET]
        return read_ops_path(self._node, namespace, set_name, rest, head_size, counters)

    def _make_write(
        self,
        namespace: Namespace,
        message: Message,
        rest: int,
        head_size: int,
        present: frozenset[Bar],
    ) -> FastPath | None:
        """The closest path that fits, which leaves to `operate_path` what it does not expect."""
        counters = self._counted(namespace.statistics)
        size = rest, head_size
        if calls_function(message):
            if not fits(Kind.FUNCTION, present):
                return None
            return function_path(self._node, namespace, message, *size, self.unlearn, counters)
        if not fits(Kind.OPERATE, present):
            return None
        otherwise = operate_path(self._node, namespace, *size, self.unlearn, counters)
        set_name, ops = message.fields[FieldType.SET], message.ops
        if fits(Kind.PLAIN_OPERATE, present):
            otherwise = plain_operate_path(
                self._node, namespace, set_name, *size, otherwise, counters
            )
        if message.info1 or not ops:
            return otherwise
        closest = None
        if message.info2 & ~_RESPOND_ALL == Info2.WRITE and _one_op(message, OpType.CDT_MODIFY):
            if fits(Kind.COLLECTION_WRITE, present):
                closest = collection_write_path(self._node, namespace, message, rest, counters)
        elif message.info2 != Info2.WRITE:
            closest = None
        elif len(ops) > 1 and fits(Kind.PUT_MANY, present):
            closest = put_many_path(namespace, set_name, len(ops), rest, otherwise, counters)
        elif _one_op(message, OpType.WRITE) and fits(Kind.PUT_ONE, present):
            closest = put_one_path(namespace, set_name, rest, otherwise, counters)
        return closest or otherwise


def _one_op(message: Message, op_type: OpType) -> bool:
    return len(message.ops) == 1 and message.ops[0].type == op_type
