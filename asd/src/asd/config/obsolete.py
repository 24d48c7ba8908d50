"""Names that older servers knew, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_NSUP: Final = "expiry is set per namespace: namespace NAME { nsup-period SECONDS }"
_BATCH: Final = "batches have no threads of their own kind any more: batch-index-threads"
_QUERY: Final = "query-threads-limit, and single-query-threads of the namespace"
_PAXOS: Final = "clusters form by heartbeat alone; remove it"
_GONE: Final = "it has no successor; remove it"
_SIZES: Final = "storage-engine memory { data-size SIZE }, and indexes-memory-budget"
_EVICT_DATA: Final = "storage-engine ... { evict-used-pct PERCENT }"
_XDR: Final = "shipping is configured in the xdr context"
_SET_NAMES: Final = "inside set NAME { } the name has no 'set-' before it"

_SERVICE: Final[Mapping[str, str]] = {
    "allow-inline-transactions": _GONE,
    "batch-priority": _BATCH,
    "batch-threads": _BATCH,
    "batch-without-digests": _GONE,
    "enable-benchmarks-svc": _GONE,
    "fabric-dump-msgs": _GONE,
    "hist-track-back": "latencies are slices of ticker-interval seconds; remove it",
    "hist-track-slice": "latencies are slices of ticker-interval seconds; remove it",
    "hist-track-thresholds": "latencies have fixed thresholds; remove it",
    "nsup-delete-sleep": _NSUP,
    "nsup-period": _NSUP,
    "nsup-startup-evict": _NSUP,
    "nsup-threads": "namespace NAME { nsup-threads N }",
    "object-size-hist-period": "namespace NAME { nsup-hist-period SECONDS }",
    "paxos-max-cluster-size": _PAXOS,
    "paxos-protocol": _PAXOS,
    "paxos-recovery-policy": _PAXOS,
    "paxos-retransmit-period": _PAXOS,
    "paxos-single-replica-limit": "replication-factor of the namespaces",
    "prole-extra-ttl": _GONE,
    "proto-slow-netio-sleep-ms": _GONE,
    "query-batch-size": _QUERY,
    "query-bufpool-size": _QUERY,
    "query-in-transaction-thread": "namespace NAME { inline-short-queries true }",
    "query-long-q-max-size": _QUERY,
    "query-pre-reserve-partitions": _QUERY,
    "query-priority": _QUERY,
    "query-priority-sleep-us": _QUERY,
    "query-rec-count-bound": _QUERY,
    "query-req-in-query-thread": _QUERY,
    "query-req-max-inflight": _QUERY,
    "query-short-q-max-size": _QUERY,
    "query-threads": _QUERY,
    "query-threshold": _QUERY,
    "query-untracked-time-ms": _QUERY,
    "query-worker-threads": _QUERY,
    "salt-allocations": "poison-allocations",
    "scan-max-active": _QUERY,
    "scan-max-done": "query-max-done",
    "scan-max-udf-transactions": _QUERY,
    "scan-threads": _QUERY,
    "scan-threads-limit": "query-threads-limit",
    "sindex-gc-max-rate": "sindex-gc-period",
    "transaction-pending-limit": "namespace NAME { transaction-pending-limit N }",
}

_NAMESPACE: Final[Mapping[str, str]] = {
    "allow-nonxdr-writes": "reject-non-xdr-writes, with the value turned round",
    "allow-xdr-writes": "reject-xdr-writes, with the value turned round",
    "background-scan-max-rps": "background-query-max-rps",
    "cold-start-evict-ttl": "disable-cold-start-eviction",
    "data-in-index": _GONE,
    "disable-nsup": "nsup-period 0",
    "enable-xdr": _XDR,
    "evict-sys-memory-pct": "evict-indexes-memory-pct with indexes-memory-budget",
    "high-water-disk-pct": _EVICT_DATA,
    "high-water-memory-pct": f"{_EVICT_DATA}, and evict-indexes-memory-pct for the indexes",
    "max-ttl": "it has no successor (ten years at most); remove it",
    "memory-size": _SIZES,
    "ns-forward-xdr-writes": _XDR,
    "obj-size-hist-max": _GONE,
    "partition-tree-locks": _GONE,
    "sets-enable-xdr": _XDR,
    "sindex": "secondary indexes need no block; remove it",
    "single-bin": "every record may have many bins; remove it",
    "single-scan-threads": "single-query-threads",
    "stop-writes-pct": "storage-engine ... { stop-writes-used-pct PERCENT }",
    "xdr-remote-datacenters": _XDR,
}

_STORAGE: Final[Mapping[str, str]] = {
    "commit-min-size": _GONE,
    "data-in-memory": "storage-engine memory { file PATH } for records in memory kept in a file",
    "disable-odirect": "all files and devices go through the page cache; remove it",
    "enable-osync": "commit-to-device",
    "fsync-max-sec": "flush-max-ms",
    "max-used-pct": "stop-writes-used-pct",
    "min-avail-pct": "stop-writes-avail-pct",
    "post-write-queue": "post-write-cache",
    "scheduler-mode": "set the scheduler in the operating system",
    "write-block-size": "flush-size for the bytes of one write (blocks are 8 MiB); remove it",
}

_SET: Final[Mapping[str, str]] = {
    "set-disable-eviction": f"disable-eviction; {_SET_NAMES}",
    "set-enable-xdr": _XDR,
    "set-stop-writes-count": f"stop-writes-count; {_SET_NAMES}",
}

_MOUNTS: Final[Mapping[str, str]] = {
    "mounts-high-water-pct": "evict-mounts-pct",
    "mounts-size-limit": "mounts-budget",
}

OBSOLETE: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "service": _SERVICE,
        "namespace": _NAMESPACE,
        "storage-engine": _STORAGE,
        "set": _SET,
        "network": {"info": "the text port is gone; clients and tools use service { port N }"},
        "heartbeat": {
            "mesh-address": "address",
            "mesh-port": "port",
            "interface-address": "address",
            "mcast-ttl": "multicast-ttl",
        },
        "network.service": {
            "network-interface-name": "node-id-interface in the service context",
            "external-address": "access-address",
            "reuse-address": _GONE,
        },
        "index-type": _MOUNTS,
        "sindex-type": _MOUNTS,
        "security": {
            "enable-ldap": "the block ldap { } alone means it",
            "enable-security": "the block security { } alone means it",
            "syslog": "log { }",
        },
        "xdr": {
            "datacenter": "dc NAME { }",
            "enable-xdr": "the block xdr { } alone means it",
            "xdr-digestlog-path": _GONE,
        },
        "dc": {"max-used-service-threads": _GONE},
        "mod-lua": {"system-path": "the system modules are built in; remove it"},
        "": {"cluster": "cluster-name in the service context", "cloud": _GONE},
    }
)
"""Context -> name -> what to use instead."""
