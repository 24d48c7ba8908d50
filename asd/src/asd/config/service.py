"""The `service` context: the node as a whole."""

from __future__ import annotations

from attrs import define, setters

from asd.config.kinds import I32_MAX
from asd.config.parameters import Section, choice, flag, integer, seconds, text, texts

_NO_SECRETS = "this server reads no secret store"
_NO_VAULT = "this server reads no vault"
_ONE_PROCESS = "this server runs in the foreground; let the init system put it behind"


@define(on_setattr=setters.frozen)
class ServiceConfig(Section):
    """Parameters of the `service` context."""

    advertise_ipv6: bool = flag(dynamic=True, help="Publish IPv6 addresses to clients and peers.")
    auto_pin: str = choice(
        "none", "cpu", "numa", "adq", help="Bind threads to cores or memory nodes."
    )
    batch_index_threads: int = integer(
        1, 1, 256, dynamic=True, works=True, help="Threads that collect batch replies."
    )
    batch_max_buffers_per_queue: int = integer(
        255, dynamic=True, help="Reply buffers a batch thread may have outstanding."
    )
    batch_max_requests: int = integer(
        0, dynamic=True, works=True, help="Most keys in one batch request; 0 = no limit."
    )
    batch_max_unused_buffers: int = integer(256, dynamic=True, help="Idle batch buffers to keep.")
    cgroup_mem_tracking: bool = flag(
        dynamic=True, help="Measure free memory within the control group instead of the machine."
    )
    cluster_name: str = text(
        "", 63, dynamic=True, works=True, help="Name that all nodes of a cluster share."
    )
    debug_allocations: bool = flag(help="Keep allocation sites for leak hunting.")
    disable_udf_execution: bool = flag(works=True, help="Refuse to run user-defined functions.")
    enable_benchmarks_fabric: bool = flag(
        dynamic=True, help="Histograms of messages between nodes."
    )
    enable_health_check: bool = flag(dynamic=True, help="Watch for sick peers and devices.")
    enable_hist_info: bool = flag(dynamic=True, help="Histogram of info commands.")
    enforce_best_practices: bool = flag(help="Do not start when a best practice is violated.")
    feature_key_file: tuple[str, ...] = texts(
        help="Licence key files; none are needed here.", shown=False
    )
    group: str = text(help="Operating-system group to run as.", shown=False)
    indent_allocations: bool = flag(help="Indent heap blocks for corruption hunting.")
    info_max_ms: int = integer(
        10000, 500, 10000, dynamic=True, help="Longest time an info command may wait."
    )
    info_threads: int = integer(16, 1, 256, dynamic=True, help="Threads that answer info commands.")
    keep_caps_ssd_health: bool = flag(help="Keep the capabilities needed to read device health.")
    log_local_time: bool = flag(works=True, help="Log in local time instead of UTC.")
    log_millis: bool = flag(works=True, help="Milliseconds in log lines.")
    microsecond_histograms: bool = flag(
        dynamic=True,
        works=True,
        help="Latency histograms count microseconds instead of milliseconds.",
    )
    migrate_fill_delay: int = seconds(
        0, dynamic=True, enterprise=True, help="Wait before filling partitions of a missing node."
    )
    migrate_max_num_incoming: int = integer(
        4, 0, 256, dynamic=True, help="Partitions received at a time."
    )
    migrate_threads: int = integer(1, 0, 100, dynamic=True, help="Threads that send partitions.")
    min_cluster_size: int = integer(
        1, 0, 256, dynamic=True, help="Nodes without which no cluster forms."
    )
    node_id: str = text(
        "", 16, works=True, help="Identity of the node, hexadecimal; made up when empty."
    )
    node_id_interface: str = text(help="Network interface whose address makes the node id.")
    os_group_perms: bool = flag(help="Files and memory readable by the group.")
    pidfile: str = text(help="File that holds the process id.")
    poison_allocations: bool = flag(help="Fill freed memory for corruption hunting.")
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
    quarantine_allocations: int = integer(0, 0, 100_000_000, help="Freed blocks to hold back.")
    query_max_done: int = integer(
        100, 0, 10000, dynamic=True, works=True, help="Finished query jobs to remember."
    )
    query_threads_limit: int = integer(
        128, 1, 1024, dynamic=True, works=True, help="Most threads that run queries."
    )
    run_as_daemon: bool = flag(True, help=f"Detach from the terminal. {_ONE_PROCESS.capitalize()}.")
    secrets_address_port: tuple[str, ...] = texts(
        enterprise=True, refused=_NO_SECRETS, help="Address of the secret agent."
    )
    secrets_tls_context: str = text(
        enterprise=True, refused=_NO_SECRETS, help="TLS towards the secret agent."
    )
    secrets_uds_path: str = text(
        enterprise=True, refused=_NO_SECRETS, help="Unix socket of the secret agent."
    )
    service_threads: int = integer(1, 1, 4096, dynamic=True, help="Threads that serve connections.")
    sindex_builder_threads: int = integer(
        4, 1, 32, dynamic=True, help="Threads that fill new secondary indexes."
    )
    sindex_gc_period: int = seconds(
        10, dynamic=True, help="Time between sweeps of secondary indexes."
    )
    stay_quiesced: bool = flag(
        enterprise=True, refused="this server cannot be quiesced", help="Join the cluster quiesced."
    )
    ticker_interval: int = seconds(
        10, dynamic=True, works=True, help="Time between status lines in the log."
    )
    tls_refresh_period: int = seconds(
        60, dynamic=True, enterprise=True, help="Time between looks at certificate files."
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
        1002, dynamic=True, help="First wait before a replica write is repeated."
    )
    transaction_threads_per_queue: int = integer(
        1, 1, 256, works=True, help="Threads that serve one transaction queue.", shown=False
    )
    user: str = text(help="Operating-system user to run as.", shown=False)
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
