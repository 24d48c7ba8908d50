"""Every name of the protocol's release is known: it works, is accepted with a warning that says
what it does not do, or is refused with a reason; none is "unknown".

The names are those of the public schema of the release's configuration, as a file writes them.
"""

from __future__ import annotations

import pytest

from asd.config import ConfigFileError, Edition, read_config
from asd.config.kinds import Boolean, Choice, Endpoints, Integer, Kind, MulticastGroups, NodeId
from asd.config.parameters import Parameter, Status
from asd.config.table import SECTIONS, table

BOTH_EDITIONS = {
    "service": """
        advertise-ipv6 auto-pin batch-index-threads batch-max-buffers-per-queue
        batch-max-requests batch-max-unused-buffers cgroup-mem-tracking cluster-name
        debug-allocations
        disable-udf-execution enable-benchmarks-fabric enable-health-check enable-hist-info
        enforce-best-practices group indent-allocations info-max-ms info-threads
        keep-caps-ssd-health log-local-time log-millis microsecond-histograms
        migrate-max-num-incoming migrate-threads min-cluster-size node-id node-id-interface
        os-group-perms pidfile poison-allocations proto-fd-idle-ms proto-fd-max
        quarantine-allocations query-max-done query-threads-limit run-as-daemon service-threads
        sindex-builder-threads sindex-gc-period ticker-interval transaction-max-ms
        transaction-retry-ms user work-directory
    """,
    "logging console": """
        aggr alloc any appeal arenax as audit batch batch-sub bin clustering config deprecation
        drv-mem drv_pmem drv_ssd exchange exp fabric flat geo hardware hb health hlc index info
        info-command key-busy masking migrate misc mrt-audit mrt-monitor msg namespace nsup os
        particle partition proto proxy proxy-divert query record roster rw rw-client secrets
        security service service-list sindex skew smd socket storage tls truncate tsvc udf vault
        vmapx xdr xdr-client xmem
    """,
    "logging syslog": """
        context facility path tag
    """,
    "network service": """
        access-address access-port address alternate-access-address alternate-access-port
        disable-localhost port
    """,
    "network admin": """
        address disable-localhost port
    """,
    "network heartbeat": """
        address connect-timeout-ms interval mesh-seed-address-port mode mtu multicast-group
        multicast-ttl port protocol timeout
    """,
    "network fabric": """
        address channel-bulk-fds channel-bulk-recv-threads channel-ctrl-fds
        channel-ctrl-recv-threads channel-meta-fds channel-meta-recv-threads channel-rw-fds
        channel-rw-recv-pools channel-rw-recv-threads keepalive-enabled keepalive-intvl
        keepalive-probes keepalive-time latency-max-ms port recv-rearm-threshold send-threads
    """,
    "namespace": """
        allow-ttl-without-nsup apply-ttl-reductions background-query-max-rps
        conflict-resolution-policy default-read-touch-ttl-pct default-ttl
        disable-cold-start-eviction disable-write-dup-res disallow-null-setname
        enable-benchmarks-batch-sub enable-benchmarks-ops-sub enable-benchmarks-read
        enable-benchmarks-udf enable-benchmarks-udf-sub enable-benchmarks-write
        enable-hist-proxy evict-hist-buckets evict-indexes-memory-pct evict-tenths-pct
        index-stage-size indexes-memory-budget inline-short-queries max-record-size
        migrate-order migrate-retransmit-ms migrate-skip-unreadable migrate-sleep
        nsup-hist-period nsup-period nsup-threads partition-tree-sprigs
        read-consistency-level-override reject-non-xdr-writes reject-xdr-writes
        replication-factor sindex-stage-size single-query-threads stop-writes-sys-memory-pct
        transaction-pending-limit truncate-threads write-commit-level-override
    """,
    "namespace geo2dsphere-within": """
        earth-radius-meters level-mod max-cells max-level min-level strict
    """,
    "namespace set": """
        default-read-touch-ttl-pct default-ttl disable-eviction enable-index stop-writes-count
        stop-writes-size
    """,
    "namespace storage-engine": """
        cache-replica-writes cold-start-empty data-size defrag-lwm-pct defrag-queue-min
        defrag-sleep defrag-startup-minimum device direct-files disable-odsync
        enable-benchmarks-storage evict-used-pct file filesize flush-max-ms flush-size
        max-write-cache post-write-cache read-page-cache sindex-startup-device-scan
        stop-writes-avail-pct stop-writes-used-pct
    """,
    "mod-lua": """
        allow-unsafe-lua cache-enabled user-path
    """,
}

ENTERPRISE_ONLY = {
    "service": """
        feature-key-file migrate-fill-delay secrets-address-port secrets-tls-context
        secrets-uds-path stay-quiesced tls-refresh-period vault-ca vault-namespace vault-path
        vault-token-file vault-url
    """,
    "network service": """
        tls-access-address tls-access-port tls-address tls-alternate-access-address
        tls-alternate-access-port tls-authenticate-client tls-name tls-port
    """,
    "network admin": """
        tls-address tls-authenticate-client tls-name tls-port
    """,
    "network heartbeat": """
        tls-address tls-mesh-seed-address-port tls-name tls-port
    """,
    "network fabric": """
        tls-address tls-name tls-port
    """,
    "network tls": """
        ca-file ca-path cert-blacklist cert-file cipher-suite key-file key-file-password
        pki-user-append-ou protocols
    """,
    "namespace": """
        active-rack auto-revive conflict-resolve-writes disable-mrt-writes disallow-expunge
        ignore-migrate-fill-delay mrt-duration prefer-uniform-balance rack-id strong-consistency
        strong-consistency-allow-expunge tomb-raider-eligible-age tomb-raider-period
        tomb-raider-unmark-threads xdr-bin-tombstone-ttl xdr-tomb-raider-period
        xdr-tomb-raider-threads
    """,
    "namespace index-type": """
        evict-mounts-pct mount mounts-budget
    """,
    "namespace sindex-type": """
        evict-mounts-pct mount mounts-budget
    """,
    "namespace storage-engine": """
        commit-to-device compression compression-acceleration compression-level encryption
        encryption-key-file encryption-old-key-file serialize-tomb-raider tomb-raider-sleep
    """,
    "security": """
        default-password-file enable-quotas privilege-refresh-period session-ttl tps-weight
    """,
    "security ldap": """
        disable-tls login-threads polling-period query-base-dn query-user-dn
        query-user-password-file role-query-base-dn role-query-pattern role-query-search-ou
        server tls-ca-file token-hash-method user-dn-pattern user-query-pattern
    """,
    "security log": """
        report-authentication report-data-op report-data-op-role report-data-op-user
        report-sys-admin report-user-admin report-violation
    """,
    "xdr": """
        src-id
    """,
    "xdr dc": """
        auth-mode auth-password-file auth-user connector max-recoveries-interleaved
        node-address-port period-ms recovery-threads tls-name use-alternate-access-address
    """,
    "xdr dc namespace": """
        bin-policy compression-algorithm compression-level compression-threshold delay-ms
        enable-compression forward hot-key-ms ignore-bin ignore-expunges ignore-set
        max-throughput remote-namespace sc-replication-wait-ms ship-bin ship-bin-luts
        ship-nsup-deletes ship-only-specified-sets ship-set ship-versions-interval
        ship-versions-policy transaction-queue-limit write-policy
    """,
}

COMMON = {(context, name) for context, names in BOTH_EDITIONS.items() for name in names.split()}
ENTERPRISE = {
    (context, name) for context, names in ENTERPRISE_ONLY.items() for name in names.split()
}

HEADS = {
    "namespace": "namespace test",
    "namespace set": "set some",
    "namespace storage-engine": "storage-engine device",
    "namespace index-type": "index-type flash",
    "namespace sindex-type": "sindex-type flash",
    "network tls": "tls some",
    "xdr dc": "dc some",
    "xdr dc namespace": "namespace test",
}
"""How a block is opened, where that takes more than its name."""

TLS_NAME = "tls-name x\n}\ntls x {\ncert-file c\nkey-file k\nca-file a"
TLS_PORT = "tls-port 3012\n}\ntls x {\ncert-file c\nkey-file k\nca-file a"

LDAP_NEEDS = {
    "server": "server ldap://h",
    "query-base-dn": "query-base-dn dc=x",
    "user-dn-pattern": "user-dn-pattern uid=${un},dc=x",
}
LDAP_PAIR = {
    "query-user-dn": "query-user-password-file f",
    "query-user-password-file": "query-user-dn cn=q",
}


def beside_ldap(name: str) -> str:
    """What a directory needs beside a parameter."""
    needed = [line for other, line in LDAP_NEEDS.items() if other != name]
    return "\n".join([*needed, LDAP_PAIR.get(name, "")])


WITH_ANOTHER = {
    **{
        ("security ldap", name): beside_ldap(name)
        for name in ENTERPRISE_ONLY["security ldap"].split()
    },
    ("network heartbeat", "multicast-group"): "mode multicast",
    ("network heartbeat", "mode"): "multicast-group 239.1.1.1",
    ("network heartbeat", "port"): "}\nfabric {\nport 3001",
    ("network service", "tls-port"): TLS_NAME,
    ("network service", "tls-name"): TLS_PORT,
    ("network admin", "tls-port"): TLS_NAME,
    ("network admin", "tls-name"): TLS_PORT,
    ("network fabric", "tls-port"): TLS_NAME,
    ("network fabric", "tls-name"): TLS_PORT,
    ("network heartbeat", "tls-port"): f"{TLS_NAME}\n}}\nfabric {{\nport 3001",
    ("network heartbeat", "tls-name"): f"{TLS_PORT}\n}}\nfabric {{\nport 3001",
    ("network heartbeat", "tls-mesh-seed-address-port"): (
        f"tls-port 3012\n{TLS_NAME}\n}}\nfabric {{\nport 3001"
    ),
    ("namespace", "default-ttl"): "nsup-period 60",
    ("namespace storage-engine", "encryption"): "encryption-key-file /key",
    ("xdr dc", "auth-mode"): "auth-user shipper",
}
"""What a parameter needs beside it."""

OWN_VALUE = {
    ("namespace geo2dsphere-within", "max-level"): "19",
    ("network service", "tls-name"): "x",
    ("network admin", "tls-name"): "x",
    ("network heartbeat", "tls-name"): "x",
    ("network fabric", "tls-name"): "x",
    ("security ldap", "server"): "ldap://h:389",
    ("security ldap", "user-dn-pattern"): "uid=${un},dc=x",
    ("network tls", "key-file-password"): "file:/some/where",
    ("network tls", "protocols"): "TLSv1.3",
    ("namespace storage-engine", "flush-size"): "128K",
    ("namespace storage-engine", "compression"): "zstd",
    ("xdr dc", "auth-mode"): "internal",
    ("xdr dc", "node-address-port"): "10.0.0.2 3002",
    ("xdr dc namespace", "bin-policy"): "only-changed",
}


def other_value(kind: Kind, default: object) -> str:
    """A value that the kind allows and that is not the default."""
    if isinstance(kind, Boolean):
        return "false" if default else "true"
    if isinstance(kind, Integer):
        return str(kind.high if default == kind.low else kind.low)
    if isinstance(kind, Choice):
        return next((option for option in kind.options if option != default), "flash")
    if isinstance(kind, Endpoints):
        return "10.0.0.2 3002"
    if isinstance(kind, MulticastGroups):
        return "239.1.1.2"
    return "A1" if isinstance(kind, NodeId) else "/some/where"


def line(context: str, name: str) -> str:
    """A directive that sets the parameter to something else than its default."""
    if context == "logging console":
        return f"context {name} info"
    parameter = parameter_of(context, name)
    if (context, name) in OWN_VALUE:
        return f"{name} {OWN_VALUE[context, name]}"
    return f"{name} {other_value(parameter.kind, parameter.usual) if parameter else 1}"


def parameter_of(context: str, name: str) -> Parameter | None:
    section = SECTIONS.get(context)
    return section.parameters().get(name) if section is not None else None


def file_with(context: str, name: str) -> str:
    """A file that sets one parameter, and is otherwise right for either edition."""
    lines = [line(context, name)]
    if context == "namespace storage-engine" and name not in ("file", "device"):
        lines.append("file /data")
    if (context, name) in WITH_ANOTHER:
        lines.append(WITH_ANOTHER[context, name])
    words = context.split()
    for depth in range(len(words), 0, -1):
        block = " ".join(words[:depth])
        lines = [f"{HEADS.get(block, words[depth - 1])} {{", *lines, "}"]
    if words[0] == "service":
        lines.insert(1, "" if name == "cluster-name" else "cluster-name blue")
    else:
        lines += ["service {", "cluster-name blue", "}"]
    if words[0] != "namespace":
        lines += ["namespace test {", "}"]
    if (context, name) == ("xdr dc", "tls-name"):
        lines += ["network {", "tls /some/where {", "}", "}"]
    return "\n".join(lines) + "\n"


def said(text: str, edition: Edition) -> tuple[list[str], list[str]]:
    """(what is wrong with the file, what is only told of)."""
    try:
        return [], [str(notice) for notice in read_config(text, "a.conf", edition).notices]
    except ConfigFileError as error:
        return [str(problem) for problem in error.problems], []


def test_the_table_has_every_name() -> None:
    listed = {(row.context, row.name.replace("_", "-")) for row in table()}
    wanted = {(context, name.replace("_", "-")) for context, name in COMMON | ENTERPRISE}
    assert wanted - {("logging console", "any")} <= listed


def test_each_row_of_the_table_says_what_the_parameter_does() -> None:
    for row in table():
        what, _, why = row.here.partition(":")
        assert what.startswith(("in effect", "accepted", "refused")), row
        assert why or what.startswith("in effect"), f"{row}: say why"


@pytest.mark.parametrize(("context", "name"), sorted(COMMON | ENTERPRISE))
def test_a_name_works_or_is_warned_of_or_is_refused_with_a_reason(context: str, name: str) -> None:
    problems, notices = said(file_with(context, name), Edition.ENTERPRISE)
    assert not any("unknown" in text or "obsolete" in text for text in problems), problems
    parameter = parameter_of(context, name)
    if context == "logging console" or (parameter and parameter.status is Status.IN_EFFECT):
        assert not problems
        assert not notices or "it is for storage-engine" in notices[0]
    elif parameter and parameter.status is Status.ACCEPTED:
        assert not problems
        notice = next(text for text in notices if f"'{name}'" in text)
        assert notice.endswith(parameter.declaration.why_not)
    else:
        assert problems
        assert "this server" in problems[0] or "let the init system" in problems[0]


@pytest.mark.parametrize(("context", "name"), sorted(ENTERPRISE))
def test_the_community_edition_refuses_enterprise_names(context: str, name: str) -> None:
    problems, _ = said(file_with(context, name), Edition.COMMUNITY)
    assert "belongs to the enterprise edition" in problems[0]


@pytest.mark.parametrize(("context", "name"), sorted(COMMON))
def test_the_community_edition_knows_the_other_names(context: str, name: str) -> None:
    problems, _ = said(file_with(context, name), Edition.COMMUNITY)
    assert not any("enterprise" in text or "unknown" in text for text in problems), problems


@pytest.mark.parametrize(
    "block",
    [
        "security { }",
        "xdr { }",
        "network { tls some { } }",
        "namespace a { prefer-uniform-balance true }",
        "namespace a { rack-id 0 }",
        "namespace a { strong-consistency false }",
        "namespace a { storage-engine pmem { } }",
    ],
)
def test_enterprise_names_are_refused_in_the_community_edition_whatever_they_say(
    block: str,
) -> None:
    problems, _ = said(f"service {{ cluster-name blue }}\n\n{block}\n", Edition.COMMUNITY)
    assert problems[0].startswith("a.conf:3: ")
    assert "belongs to the enterprise edition" in problems[0]


def test_the_community_edition_wants_a_cluster_name() -> None:
    text = "logging { }\nservice { proto-fd-max 20 }\nnamespace test { }\n"
    wanted = "a.conf:2: 'cluster-name' is missing in the context 'service': cluster-name NAME"
    assert said(text, Edition.COMMUNITY)[0] == [wanted]
    assert said(text, Edition.ENTERPRISE)[0] == []


def test_what_is_misspelt_in_a_refused_context_is_said_too() -> None:
    problems, _ = said("security {\n log {\n  report-violations true\n}\n}\n", Edition.COMMUNITY)
    assert problems[0].startswith("a.conf:1: 'security' belongs to the enterprise edition")
    assert problems[1] == (
        "a.conf:3: unknown name 'report-violations' in the context 'log';"
        " did you mean 'report-violation'?"
    )
