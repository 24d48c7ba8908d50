"""What each node holds, found out without anybody's help: nodes that are cut off from all others
serve just the copies that they have.

So a scan of a node that is alone gives its copies, whole (generation, void-time, last-update-time,
bins), and a query by index what its index has.
"""

from __future__ import annotations

import base64
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import attrs

from aerospike_client import (
    Client,
    ClientError,
    ClientPolicy,
    QueryPolicy,
    between,
    expressions,
    operations,
)
from asd import Cluster
from chaos.check import Complaint
from chaos.hands import BIN, MANY, NUMBER
from chaos.history import Value
from citrusleaf.cf_digest import partition_id

SPLIT_S: Final = 60.0
UPDATED: Final = "updated"
SET: Final = "set"

Digest = bytes


class Held(NamedTuple):
    """A record as one node has it."""

    set_name: str
    generation: int
    void_time: int
    updated_ns: int
    value: Value
    number: int | None


Holding = dict[str, dict[Digest, Held]]
"""Namespace, digest: what one node holds."""


class Holdings(NamedTuple):
    """What all nodes hold. `owners`: nodes by namespace and partition that are to have a copy."""

    held: Mapping[int, Holding]
    indexed: Mapping[int, Mapping[str, Mapping[str, Sequence[Digest]]]]
    """Node, namespace, set: what its index gives."""
    owners: Mapping[str, Mapping[int, frozenset[int]]]


def look(
    cluster: Cluster,
    nodes: Sequence[int],
    namespaces: Sequence[str],
    indexed: Sequence[str],
    policy: ClientPolicy,
) -> Holdings:
    """Cut all nodes off, look at each, and heal. Nobody may write meanwhile."""
    owners = {name: _owners(cluster, nodes, name) for name in namespaces}
    cluster.split(*[[node] for node in nodes])
    try:
        for node in nodes:
            cluster.wait_stable(SPLIT_S, nodes=[node])
        held, by_index = {}, {}
        for node in nodes:
            _wait_alone(cluster, node)
            places = cluster.addresses if policy.tls is None else cluster.tls_addresses
            patient = attrs.evolve(policy, query=QueryPolicy(total_timeout=60_000))
            with Client([places[node]], patient) as client:
                held[node] = {name: _scan(client, name) for name in namespaces}
                by_index[node] = {
                    name: {each: _query(client, name, each) for each in indexed}
                    for name in namespaces
                }
    finally:
        cluster.heal()
    return Holdings(held, by_index, owners)


def _wait_alone(cluster: Cluster, node: int) -> None:
    """A client that begins with this node must find no other."""
    until = time.monotonic() + SPLIT_S
    while "[[" in cluster.info(node, "peers-clear-std"):
        if time.monotonic() > until:
            raise TimeoutError(f"node {node} is alone and names peers")
        time.sleep(0.05)


def _owners(cluster: Cluster, nodes: Iterable[int], namespace: str) -> Mapping[int, frozenset[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for node in nodes:
        rows = dict(row.split(":", 1) for row in cluster.info(node, "replicas").split(";"))
        _, _, *columns = rows[namespace].split(",")
        for column in columns:
            bits = base64.b64decode(column)
            for partition in range(4096):
                if bits[partition >> 3] & (0x80 >> (partition & 7)):
                    found[partition].add(node)
    return {partition: frozenset(each) for partition, each in found.items()}


def _scan(client: Client, namespace: str) -> dict[Digest, Held]:
    ops = [
        operations.read(BIN),
        operations.read(NUMBER),
        operations.read_expression(UPDATED, expressions.last_update()),
        operations.read_expression(SET, expressions.set_name()),
    ]
    found = {}
    for record in client.query(namespace, ops=ops):
        key, bins = record.key, record.bins
        found[key.digest] = Held(
            bins[SET],
            record.generation,
            record.void_time,
            bins[UPDATED],
            bins.get(BIN),
            bins.get(NUMBER),
        )
    return found


def _query(client: Client, namespace: str, set_name: str) -> Sequence[Digest]:
    where = between(NUMBER, 0, MANY)
    try:
        return [r.key.digest for r in client.query(namespace, set_name, where=where, bins=())]
    except ClientError as error:
        raise RuntimeError(f"{namespace} {set_name} cannot be asked by index: {error}") from error


def check_copies(holdings: Holdings) -> list[Complaint]:
    """All copies of a record are alike, and where they are to be."""
    complaints = []
    for namespace, owners in holdings.owners.items():
        copies: dict[Digest, dict[int, Held]] = defaultdict(dict)
        for node, holding in holdings.held.items():
            for digest, held in holding[namespace].items():
                copies[digest][node] = held
        for digest, by_node in copies.items():
            some = next(iter(by_node.values()))
            place = namespace, some.set_name, digest.hex()
            wanted = owners.get(partition_id(digest), frozenset())
            if wanted != frozenset(by_node):
                text = f"on nodes {sorted(by_node)}, to be on {sorted(wanted)}: {some}"
                complaints.append(Complaint("copies in the wrong places", place, text))
            elif len(set(map(str, by_node.values()))) > 1:
                text = "; ".join(f"node {node}: {held}" for node, held in by_node.items())
                complaints.append(Complaint("copies differ", place, text))
    return complaints


def check_indexes(holdings: Holdings) -> list[Complaint]:
    """Each node's index gives just the records that the node has with the bin."""
    complaints = []
    for node, namespaces in holdings.indexed.items():
        for namespace, sets in namespaces.items():
            for set_name, digests in sets.items():
                wanted = {
                    digest
                    for digest, held in holdings.held[node][namespace].items()
                    if held.set_name == set_name and held.number is not None
                }
                wrong = wanted ^ set(digests)
                if wrong or len(digests) != len(set(digests)):
                    text = (
                        f"node {node}: {len(wanted)} records, {len(digests)} by index;"
                        f" {[digest.hex() for digest in wrong][:3]}"
                    )
                    complaints.append(Complaint("index wrong", (namespace, set_name, ""), text))
    return complaints
