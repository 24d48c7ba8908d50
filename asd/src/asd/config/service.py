"""The `service` context: the node as a whole."""

from __future__ import annotations

from attrs import define, setters

from asd.config.kinds import I32_MAX, Endpoint, Endpoints, NodeId
from asd.config.parameters import Section, choice, flag, integer, seconds, text, texts, value

_NO_SECRETS = "this server reads no secret store"
_NO_VAULT = "this server reads no vault"
_NO_BATCH_BUFFERS = "the replies of a batch are written as they are made, from no pool of buffers"
_NO_ALLOCATOR = "memory comes from Python's own allocator, which has no such check"
_INIT_SYSTEM = (
    "this server stays in the foreground, as who has started it; leave it to the init system"
)
_ONE_LOOP = "one thread serves all connections"
_ALONE = "this server does not do so"


@define(on_setattr=setters.frozen)
class ServiceConfig(Section):
    """Parameters of the `service` context."""

    advertise_ipv6: bool = flag(
        dynamic=True,
        help="Publish IPv6 addresses to clients and peers.",
        why_not="the addresses that are listened on are published, of either kind",
    )
    auto_pin: str = choice(
        "none",
        "cpu",
        "numa",
        "adq",
        help="Bind threads to cores or memory nodes.",
        why_not=f"{_ONE_LOOP}; `asd --nodes cores` keeps a process on each core",
    )
    batch_index_threads: int = integer(
        1, 1, 256, dynamic=True, works=True, help="Threads that collect batch replies."
    )
    batch_max_buffers_per_queue: int = integer(
        255,
        dynamic=True,
        help="Reply buffers a batch thread may have outstanding.",
        why_not=_NO_BATCH_BUFFERS,
    )
    batch_max_requests: int = integer(
        0, dynamic=True, works=True, help="Most keys in one batch request; 0 = no limit."
    )
    batch_max_unused_buffers: int = integer(
        256, dynamic=True, help="Idle batch buffers to keep.", why_not=_NO_BATCH_BUFFERS
    )
    cgroup_mem_tracking: bool = flag(
        dynamic=True,
        help="Measure free memory within the control group instead of the machine.",
        why_not="the memory of the machine is what counts, not that of a control group",
    )
    cluster_name: str = text(
        "", 63, dynamic=True, works=True, help="Name that all nodes of a cluster share."
    )
    debug_allocations: bool = flag(
        help="Keep allocation sites for leak hunting.", why_not=_NO_ALLOCATOR
    )
    disable_udf_execution: bool = flag(works=True, help="Refuse to run user-defined functions.")
    enable_benchmarks_fabric: bool = flag(
        dynamic=True, help="Histograms of messages between nodes.", why_not=_ALONE
    )
    enable_health_check: bool = flag(
        dynamic=True,
        help="Watch for sick peers and devices.",
        why_not="peers are not watched for more than being there",
    )
    enable_hist_info: bool = flag(
        dynamic=True, help="Histogram of info commands.", why_not="info commands have no histogram"
    )
    enforce_best_practices: bool = flag(
        help="Do not start when a best practice is violated.",
        why_not="the info command best-practices names what is violated; the start goes on",
    )
    feature_key_file: tuple[str, ...] = texts(
        enterprise=True,
        help="Licence key files; none are needed here.",
        shown=False,
        why_not="no feature key is needed",
    )
    group: str = text(help="Operating-system group to run as.", shown=False, why_not=_INIT_SYSTEM)
    indent_allocations: bool = flag(
        help="Indent heap blocks for corruption hunting.", why_not=_NO_ALLOCATOR
    )
    info_max_ms: int = integer(
        10000,
        500,
        10000,
        dynamic=True,
        help="Longest time an info command may wait.",
        why_not="no info command waits",
    )
    info_threads: int = integer(
        16,
        1,
        256,
        dynamic=True,
        help="Threads that answer info commands.",
        why_not=f"{_ONE_LOOP}, info included",
    )
    keep_caps_ssd_health: bool = flag(
        help="Keep the capabilities needed to read device health.",
        why_not="the health of devices is not read",
    )
    log_local_time: bool = flag(works=True, help="Log in local time instead of UTC.")
    log_millis: bool = flag(works=True, help="Milliseconds in log lines.")
    microsecond_histograms: bool = flag(
        dynamic=True,
        works=True,
        help="Latency histograms count microseconds instead of milliseconds.",
    )
    migrate_fill_delay: int = seconds(
        0,
        dynamic=True,
        enterprise=True,
        help="Wait after a balance before nodes without a copy of a partition are sent one.",
        works=True,
    )
    migrate_max_num_incoming: int = integer(
        4, 0, 256, dynamic=True, help="Partitions received at a time, in sixty-fours.", works=True
    )
    migrate_threads: int = integer(
        1,
        0,
        100,
        dynamic=True,
        help="Partitions sent at a time, in sixty-fours; 0 = none.",
        works=True,
    )
    min_cluster_size: int = integer(
        1,
        0,
        256,
        dynamic=True,
        help="Nodes without which no cluster forms; no more than there are when it is changed.",
        works=True,
    )
    node_id: str = value(
        NodeId(), "", works=True, help="Identity of the node, hexadecimal; made up when empty."
    )
    node_id_interface: str = text(
        help="Network interface whose address makes the node id.",
        why_not="the node id is made from the machine's first network interface; node-id sets it",
    )
    os_group_perms: bool = flag(
        help="Files and memory readable by the group.",
        why_not="files get the permissions that the umask leaves",
    )
    pidfile: str = text(
        help="File that holds the process id.",
        why_not=f"no file with the process id is written: {_INIT_SYSTEM}",
    )
    poison_allocations: bool = flag(
        help="Fill freed memory for corruption hunting.", why_not=_NO_ALLOCATOR
    )
    proto_fd_idle_ms: int = integer(
        0,
        0,
        I32_MAX,
        dynamic=True,
        works=True,
        help="Close a connection idle this long; 0 = never.",
    )
    proto_fd_max: int = integer(
        15000, 1, I32_MAX, dynamic=True, works=True, help="Most client connections."
    )
    quarantine_allocations: int = integer(
        0, 0, 100_000_000, help="Freed blocks to hold back.", why_not=_NO_ALLOCATOR
    )
    query_max_done: int = integer(
        100, 0, 10000, dynamic=True, works=True, help="Finished query jobs to remember."
    )
    query_threads_limit: int = integer(
        128, 1, 1024, dynamic=True, works=True, help="Most threads that run queries."
    )
    run_as_daemon: bool = flag(
        True, help="Detach from the terminal.", here=False, why_not=_INIT_SYSTEM
    )
    secrets_address_port: tuple[Endpoint, ...] = value(
        Endpoints(), (), enterprise=True, refused=_NO_SECRETS, help="Address of the secret agent."
    )
    secrets_tls_context: str = text(
        enterprise=True, refused=_NO_SECRETS, help="TLS towards the secret agent."
    )
    secrets_uds_path: str = text(
        enterprise=True, refused=_NO_SECRETS, help="Unix socket of the secret agent."
    )
    service_threads: int = integer(
        1,
        1,
        4096,
        dynamic=True,
        help="Threads that serve connections.",
        why_not=f"{_ONE_LOOP}; more cores take more server processes",
    )
    sindex_builder_threads: int = integer(
        4,
        1,
        32,
        dynamic=True,
        help="Threads that fill new secondary indexes.",
        why_not="one task of each namespace fills its new indexes",
    )
    sindex_gc_period: int = seconds(
        10,
        dynamic=True,
        help="Time between sweeps of secondary indexes.",
        why_not="entries of secondary indexes go with their records; nothing is left to sweep",
    )
    stay_quiesced: bool = flag(
        enterprise=True,
        refused="this server is quiesced by the info command only",
        help="Join the cluster quiesced.",
    )
    ticker_interval: int = seconds(
        10, dynamic=True, works=True, help="Time between status lines in the log."
    )
    tls_refresh_period: int = seconds(
        60,
        dynamic=True,
        enterprise=True,
        help="Time between looks at certificate files.",
        community=0,
        works=True,
    )
    transaction_max_ms: int = integer(
        1000, dynamic=True, works=True, help="Time limit of requests that bring none."
    )
    transaction_queues: int = integer(
        1,
        1,
        128,
        works=True,
        help="Queues between the loop and the transaction threads.",
        shown=False,
    )
    transaction_retry_ms: int = integer(
        1002,
        dynamic=True,
        help="First wait before a replica write is repeated.",
        why_not="a replica that does not answer is sent to again after 400 ms",
    )
    transaction_threads_per_queue: int = integer(
        1, 1, 256, works=True, help="Threads that serve one transaction queue.", shown=False
    )
    user: str = text(help="Operating-system user to run as.", shown=False, why_not=_INIT_SYSTEM)
    vault_ca: str = text(
        enterprise=True, refused=_NO_VAULT, help="Certificate authority of the vault."
    )
    vault_namespace: str = text(enterprise=True, refused=_NO_VAULT, help="Namespace in the vault.")
    vault_path: str = text(enterprise=True, refused=_NO_VAULT, help="Path in the vault.")
    vault_token_file: str = text(
        enterprise=True, refused=_NO_VAULT, help="File with the vault's token."
    )
    vault_url: str = text(enterprise=True, refused=_NO_VAULT, help="Address of the vault.")
    work_directory: str = text(
        "/opt/aerospike", works=True, help="Directory for what outlives a restart."
    )

    def conflict(self) -> str:
        """The node id comes from one place."""
        if self.node_id and self.node_id_interface:
            return "node-id and node-id-interface are both given; the node has one identity"
        return ""
