"""The `namespace` context: where records are kept and how long."""

from __future__ import annotations

from typing import Final

from attrs import Attribute, define, field, setters

from asd.config.errors import InvalidParameterError
from asd.config.kinds import U64_MAX
from asd.config.parameters import (
    Section,
    choice,
    flag,
    integer,
    seconds,
    size,
)
from asd.config.sets import MAX_SET_NAME, TEN_YEARS, GeoConfig, SetConfig, check_name
from asd.config.storage import StorageConfig

MAX_NAMESPACE_NAME: Final = 31
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30
_NO_ACTIVE_RACK: Final = "this server spreads masters over all racks; leave it out"
_ALONE: Final = "migration goes its own way here"
_NO_STAGES: Final = "only whole requests are timed, not their stages"
_NO_TRANSACTIONS: Final = "this server has no transactions over several records"
_ONE_TASK: Final = "one task of each namespace does it, beside the requests"
_ONE_QUERY_WAY: Final = "queries run in slices between the requests, short and long ones alike"
_GROWS: Final = "indexes grow by as much as they need"
INDEXES_IN_MEMORY: Final = "this server keeps indexes in the memory of its process"


@define(on_setattr=setters.frozen)
class NamespaceConfig(Section):
    """Parameters of one `namespace NAME` context."""

    name: str = field()
    active_rack: int = integer(
        0,
        0,
        1_000_000,
        dynamic=True,
        enterprise=True,
        refused=_NO_ACTIVE_RACK,
        help="Rack that holds all masters.",
    )
    allow_ttl_without_nsup: bool = flag(
        dynamic=True, works=True, help="Accept expiring records although nothing removes them."
    )
    apply_ttl_reductions: bool = flag(
        True, dynamic=True, works=True, help="Let a write shorten a record's life."
    )
    auto_revive: bool = flag(
        enterprise=True,
        works=True,
        help="At start, bring back partitions that are dead through unclean stops.",
    )
    background_query_max_rps: int = integer(
        10000,
        1,
        1_000_000,
        dynamic=True,
        works=True,
        help="Records a second a background query may handle.",
    )
    conflict_resolution_policy: str = choice(
        "generation",
        "last-update-time",
        dynamic=True,
        help="Which of two versions of a record wins.",
        works=True,
    )
    conflict_resolve_writes: bool = flag(
        dynamic=True,
        enterprise=True,
        works=True,
        help="Resolve conflicts bin by bin.",
    )
    default_read_touch_ttl_pct: int = integer(
        0,
        0,
        100,
        dynamic=True,
        works=True,
        help="A read in the last this many percent of a record's life renews it; 0 = never.",
    )
    default_ttl: int = seconds(
        0,
        0,
        TEN_YEARS,
        dynamic=True,
        works=True,
        help="Life of records written with ttl 0; 0 = for ever.",
    )
    disable_cold_start_eviction: bool = flag(
        help="Do not evict while loading.", why_not="nothing is evicted while records are loaded"
    )
    disable_mrt_writes: bool = flag(
        dynamic=True,
        enterprise=True,
        help="Refuse writes of transactions.",
        why_not=_NO_TRANSACTIONS,
    )
    disable_write_dup_res: bool = flag(
        dynamic=True,
        help="Write without asking other nodes for newer versions.",
        why_not="they are always asked while copies differ",
    )
    disallow_expunge: bool = flag(
        dynamic=True,
        enterprise=True,
        help="Refuse deletes that leave no tombstone.",
        why_not="strong-consistency-allow-expunge says it where it matters",
    )
    disallow_null_setname: bool = flag(
        dynamic=True,
        help="Refuse records without a set.",
        why_not="records without a set are accepted",
    )
    enable_benchmarks_batch_sub: bool = flag(
        dynamic=True, help="Histograms of the stages of batch rows.", why_not=_NO_STAGES
    )
    enable_benchmarks_ops_sub: bool = flag(
        dynamic=True, help="Histograms of the stages of background operations.", why_not=_NO_STAGES
    )
    enable_benchmarks_read: bool = flag(
        dynamic=True, help="Histograms of the stages of reads.", why_not=_NO_STAGES
    )
    enable_benchmarks_udf: bool = flag(
        dynamic=True, help="Histograms of the stages of functions.", why_not=_NO_STAGES
    )
    enable_benchmarks_udf_sub: bool = flag(
        dynamic=True, help="Histograms of the stages of background functions.", why_not=_NO_STAGES
    )
    enable_benchmarks_write: bool = flag(
        dynamic=True, help="Histograms of the stages of writes.", why_not=_NO_STAGES
    )
    enable_hist_proxy: bool = flag(
        dynamic=True,
        help="Histogram of requests passed to other nodes.",
        why_not="the time of requests that are passed on counts with that of others",
    )
    evict_hist_buckets: int = integer(
        10000,
        100,
        10_000_000,
        dynamic=True,
        works=True,
        help="Resolution of the histogram eviction works with.",
    )
    evict_indexes_memory_pct: int = integer(
        0,
        0,
        100,
        dynamic=True,
        works=True,
        help="Index memory from which records are evicted; 0 = never.",
    )
    evict_tenths_pct: int = integer(
        5, dynamic=True, works=True, help="Tenths of a percent of records to evict in a round."
    )
    force_long_queries: bool = flag(
        dynamic=True, help="Run short queries like long ones.", why_not=_ONE_QUERY_WAY
    )
    ignore_migrate_fill_delay: bool = flag(
        dynamic=True,
        enterprise=True,
        help="Do not wait in this namespace before nodes without a copy are sent one.",
        works=True,
    )
    index_stage_size: int = size(
        _GIB, 128 * _MIB, 16 * _GIB, help="Memory the index grows by.", why_not=_GROWS
    )
    indexes_memory_budget: int = size(
        0, 0, U64_MAX, dynamic=True, works=True, help="Memory for all indexes; 0 = no limit."
    )
    inline_short_queries: bool = flag(
        dynamic=True, help="Run short queries on the service thread.", why_not=_ONE_QUERY_WAY
    )
    max_record_size: int = size(
        _MIB, 64, 8 * _MIB, dynamic=True, works=True, help="Largest record."
    )
    migrate_order: int = integer(
        5, 1, 10, dynamic=True, help="Which namespace migrates first.", works=True
    )
    migrate_retransmit_ms: int = integer(
        5000, dynamic=True, help="Wait before a migrated record is sent again.", why_not=_ALONE
    )
    migrate_skip_unreadable: bool = flag(
        dynamic=True, help="Migrate on past records that cannot be read.", why_not=_ALONE
    )
    migrate_sleep: int = integer(
        1, dynamic=True, help="Microseconds between migrated records.", works=True
    )
    mrt_duration: int = seconds(
        10,
        1,
        120,
        dynamic=True,
        enterprise=True,
        help="Life of a transaction that names none.",
        community=0,
        why_not=_NO_TRANSACTIONS,
    )
    nsup_hist_period: int = seconds(
        3600,
        dynamic=True,
        works=True,
        help="Time between counts of the histograms of ttls and record sizes; 0 = never.",
    )
    nsup_period: int = seconds(
        0, dynamic=True, works=True, help="Time between removals of expired records; 0 = never."
    )
    nsup_threads: int = integer(
        1, 1, 128, dynamic=True, help="Threads that remove expired records.", why_not=_ONE_TASK
    )
    partition_tree_sprigs: int = integer(
        256,
        256,
        1 << 28,
        help="Trees a partition's index is split into.",
        why_not="a partition's index is one table, split into no trees",
    )
    prefer_uniform_balance: bool = flag(
        True,
        dynamic=True,
        enterprise=True,
        help="Give every node the same number of partitions.",
        community=False,
        works=True,
    )
    rack_id: int = integer(
        0,
        0,
        1_000_000,
        dynamic=True,
        enterprise=True,
        help="Rack of this node; copies are spread over racks, from the next balance on.",
        works=True,
    )
    read_consistency_level_override: str = choice(
        "off", "all", "one", dynamic=True, help="Replace the consistency reads ask for.", works=True
    )
    reject_non_xdr_writes: bool = flag(dynamic=True, works=True, help="Refuse writes of clients.")
    reject_xdr_writes: bool = flag(
        dynamic=True,
        works=True,
        help="Refuse writes shipped from other data centers.",
    )
    replication_factor: int = integer(
        2, 1, 256, dynamic=True, help="Copies of each record, this node's included.", works=True
    )
    sindex_stage_size: int = size(
        _GIB, 128 * _MIB, 4 * _GIB, help="Memory secondary indexes grow by.", why_not=_GROWS
    )
    single_query_threads: int = integer(
        4,
        1,
        128,
        dynamic=True,
        help="Most threads of one query.",
        why_not="a query is one task; its partitions are read one after the other",
    )
    stop_writes_sys_memory_pct: int = integer(
        90,
        0,
        100,
        dynamic=True,
        works=True,
        help="Memory use of the machine from which writes are refused.",
    )
    strong_consistency: bool = flag(
        enterprise=True,
        works=True,
        help="Never lose or fork a record; a roster says which nodes have the copies.",
    )
    strong_consistency_allow_expunge: bool = flag(
        dynamic=True,
        enterprise=True,
        works=True,
        help="Under strong consistency, allow deletes without tombstone, and records that expire.",
    )
    tomb_raider_eligible_age: int = seconds(
        86400, dynamic=True, enterprise=True, works=True, help="Age from which tombstones may go."
    )
    tomb_raider_period: int = seconds(
        86400,
        dynamic=True,
        enterprise=True,
        works=True,
        help="Time between removals of tombstones.",
    )
    tomb_raider_unmark_threads: int = integer(
        0,
        0,
        128,
        dynamic=True,
        enterprise=True,
        help="Threads that look for needed tombstones; 0 = as the tomb raider does it.",
        why_not=_ONE_TASK,
    )
    transaction_pending_limit: int = integer(
        20,
        dynamic=True,
        help="Requests that may wait for one record while copies differ; 0 = no limit.",
        works=True,
    )
    truncate_threads: int = integer(
        4, 1, 128, dynamic=True, help="Threads that truncate.", why_not=_ONE_TASK
    )
    write_commit_level_override: str = choice(
        "off",
        "all",
        "master",
        dynamic=True,
        help="Replace the commit level writes ask for.",
        why_not="each write waits for what it asks for",
    )
    xdr_bin_tombstone_ttl: int = seconds(
        86400,
        0,
        TEN_YEARS,
        dynamic=True,
        enterprise=True,
        works=True,
        help="Life of a deleted bin's trace.",
    )
    xdr_tomb_raider_period: int = seconds(
        120,
        dynamic=True,
        enterprise=True,
        works=True,
        help="Time between removals of shipped tombstones.",
    )
    xdr_tomb_raider_threads: int = integer(
        1,
        1,
        128,
        dynamic=True,
        enterprise=True,
        help="Threads that remove shipped tombstones.",
        why_not=_ONE_TASK,
    )
    geo2dsphere_within: GeoConfig = field(factory=GeoConfig, kw_only=True)
    index_type: str = choice(
        "shmem",
        enterprise=True,
        community="mem",
        refused=INDEXES_IN_MEMORY,
        help="Where the primary index is.",
    )
    sindex_type: str = choice(
        "shmem",
        enterprise=True,
        community="mem",
        refused=INDEXES_IN_MEMORY,
        help="Where secondary indexes are.",
    )
    storage_engine: StorageConfig = field(factory=StorageConfig, kw_only=True)
    sets: dict[bytes, SetConfig] = field(factory=dict, kw_only=True)

    @name.validator
    def _named(self, _: Attribute[str], value: str) -> None:
        check_name(value, MAX_NAMESPACE_NAME)

    def default_ttl_of(self, set_name: bytes) -> int:
        """Seconds a record of the set lives when its write names no ttl; 0 = for ever. O(1)."""
        own = self.sets.get(set_name)
        return (own and own.default_ttl) or self.default_ttl

    def read_touch_ttl_pct_of(self, set_name: bytes) -> int:
        """Percent of life left under which a read renews a record of the set; 0 = never. O(1)."""
        own = self.sets.get(set_name)
        return max(0, (own and own.default_read_touch_ttl_pct) or self.default_read_touch_ttl_pct)

    def set_config_of(self, set_name: bytes) -> SetConfig:
        """The set's own configuration; one that changes nothing when there is none. O(1)."""
        return self.sets.get(set_name) or SetConfig(set_name)

    def conflict(self) -> str:
        """Records that expire need something to remove them, and may come back."""
        is_forever = self.strong_consistency and not self.strong_consistency_allow_expunge
        if is_forever and self.default_ttl:
            return "default-ttl with strong-consistency needs strong-consistency-allow-expunge true"
        if self.default_ttl and not self.nsup_period and not self.allow_ttl_without_nsup:
            return "default-ttl without nsup-period needs allow-ttl-without-nsup true"
        return ""

    def rows(self, prefix: str = "", community: bool = False) -> list[tuple[str, str]]:
        """(name, text) in the order of `get-config`, subsections under their name and a dot."""
        own = super().rows(prefix, community)
        types = len(own) - 2  # index-type and sindex-type stand behind the geo block
        geo = self.geo2dsphere_within.rows(prefix + "geo2dsphere-within.")
        return [
            *own[:types],
            *geo,
            *own[types:],
            *self.storage_engine.rows(prefix + "storage-engine"),
        ]

    def set(self, name: str, text: str, community: bool = False) -> None:
        """Change a dynamic parameter; those of a subsection are named bare or with its prefix."""
        block, _, parameter = name.rpartition(".")
        if block == "geo2dsphere-within":
            self.geo2dsphere_within.set(parameter, text, community)
        elif block == "storage-engine" or (not block and name in StorageConfig.parameters()):
            self.storage_engine.set(parameter, text, community)
        else:
            super().set(name, text, community)

    def set_of_set(self, set_name: bytes, name: str, text: str, community: bool = False) -> None:
        """Change a dynamic parameter of a set, which need not exist yet."""
        own = self.sets.get(set_name)
        if own is None:
            try:
                check_name(set_name.decode("utf-8", "surrogateescape"), MAX_SET_NAME)
            except ValueError as error:
                raise InvalidParameterError(str(error)) from None
            own = SetConfig(set_name)
        own.set(name, text, community)
        self.sets[set_name] = own
