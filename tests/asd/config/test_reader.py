"""Reading aerospike.conf: what it means, and what is said when it is wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.config import (
    Config,
    ConfigFileError,
    Edition,
    Endpoint,
    LogSink,
    SecurityConfig,
    read_config,
)

FULL = """\
# a whole file
service {                    # comments stand anywhere
    cluster-name "my cluster"
    proto-fd-max 20000
    proto-fd-idle-ms 70000
    transaction-queues 4
}
logging {
    console { context any warning }
    file "/var/log/a b.log" {
        context any info
        context nsup DETAIL
    }
}
network {
    service {
        address 10.0.0.1
        address 10.0.0.2
        port 4000
        access-address 1.2.3.4
    }
    heartbeat {
        mode mesh
        port 3002
        mesh-seed-address-port 10.0.0.2 3002
        mesh-seed-address-port 10.0.0.3 3002
        interval 250
    }
    fabric { port 3001 }
}
mod-lua { cache-enabled false }
namespace test {
    replication-factor 2
    nsup-period 2m
    default-ttl 30d
    max-record-size 128K
    geo2dsphere-within { max-cells 30 }
    storage-engine memory { data-size 4G }
    set events {
        default-ttl 1h
        disable-eviction true
    }
    set "plain" {}
}
namespace bar { storage-engine memory
}
"""


def problems(text: str, edition: Edition = Edition.ENTERPRISE) -> list[str]:
    with pytest.raises(ConfigFileError) as caught:
        read_config(text, "a.conf", edition)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return str(caught.value).splitlines()


def in_namespace(line: str) -> str:
    return f"namespace test {{\n{line}\n}}\n"


def test_a_whole_file():
    config = read_config(FULL)
    assert config.service.cluster_name == "my cluster"
    assert config.service.proto_fd_max == 20000
    assert config.service.proto_fd_idle_ms == 70000
    assert config.service.transaction_queues == 4
    assert config.logging.sinks == (
        LogSink("", {"any": "warning"}),
        LogSink("/var/log/a b.log", {"any": "info", "nsup": "detail"}),
    )
    assert config.network.service.address == ("10.0.0.1", "10.0.0.2")
    assert config.network.service.port == 4000
    assert config.network.heartbeat.mesh_seed_address_port == (
        Endpoint("10.0.0.2", 3002),
        Endpoint("10.0.0.3", 3002),
    )
    assert config.network.heartbeat.interval == 250
    assert config.network.fabric.port == 3001
    assert config.mod_lua.cache_enabled is False
    assert list(config.namespaces) == ["test", "bar"]
    test = config.namespaces["test"]
    assert (test.nsup_period, test.default_ttl, test.max_record_size) == (120, 2592000, 131072)
    assert test.geo2dsphere_within.max_cells == 30
    assert test.storage_engine.data_size == 4 << 30
    assert test.default_ttl_of(b"events") == 3600
    assert test.default_ttl_of(b"plain") == test.default_ttl_of(b"unheard") == 2592000


def test_defaults_of_what_is_not_said():
    config = read_config("namespace test { }\n")
    assert config.service == Config().service
    assert config.network == Config().network
    assert config.namespaces["test"].storage_engine.engine == "memory"
    assert config.notices == ()


def test_layout_is_free_within_a_line():
    assert read_config("namespace test{ default-ttl 0 }#x") == read_config(
        "\n\nnamespace test {\n\tdefault-ttl\t0   \n}\n\n"
    )


def test_a_value_given_as_the_default_is_a_value():
    config = read_config(
        "network { service {\naddress any\naddress 10.0.0.1\n} }\n" + in_namespace("")
    )
    assert config.network.service.address == ("any", "10.0.0.1")


def test_what_has_no_effect_is_told():
    config = read_config("service {\n  service-threads 8\n}\n" + in_namespace(""), "a.conf")
    assert [str(notice) for notice in config.notices] == [
        "a.conf:2: 'service-threads' is accepted for compatibility, without effect:"
        " one thread serves all connections; more cores take more server processes"
    ]


@pytest.mark.parametrize(
    ("anyway", "otherwise"),
    [
        ("service { run-as-daemon false }", "service { run-as-daemon }"),
        ("network { admin { disable-localhost } }", "network { admin { disable-localhost no } }"),
        (
            "namespace a { storage-engine device { file /a\nread-page-cache } }",
            "namespace a { storage-engine device { file /a\nread-page-cache false } }",
        ),
    ],
)
def test_what_happens_anyway_may_be_asked_for_without_notice(anyway: str, otherwise: str):
    rest = "\nnamespace b { storage-engine memory }\n"
    assert read_config(anyway + rest).notices == ()
    (notice,) = read_config(otherwise + rest, "a.conf").notices
    assert "without effect" in notice.message


def test_all_problems_are_named_in_the_order_of_the_lines():
    text = (
        "service {\n proto-fd-mx 1\n batch-threads 4\n}\nnamespace test {\n default-ttl soon\n}\n"
    )
    assert problems(text) == [
        "a.conf:2: unknown name 'proto-fd-mx' in the context 'service';"
        " did you mean 'proto-fd-max'?",
        "a.conf:3: 'batch-threads' is obsolete in the context 'service'; instead: batches have no"
        " threads of their own kind any more: batch-index-threads",
        "a.conf:6: 'default-ttl': 'soon' is not allowed here, expected seconds from 0 to 315360000"
        " (suffix s, m, h or d)",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("memory-size 4G", "instead: storage-engine memory { data-size SIZE }"),
        ("high-water-memory-pct 60", "evict-used-pct"),
        ("max-ttl 30d", "no successor"),
        ("single-bin true", "obsolete"),
        ("data-in-index true", "obsolete"),
        ("storage-engine flash {\nfile /x\n}", "the engines of this server: memory, device"),
        ("storage-engine memory {\ndata-in-memory true\n}", "obsolete"),
        ("storage-engine device {\nfilesize 4G\n}", "needs at least one file or device"),
        ("storage-engine memory {\nencryption aes-256\n}", "unencrypted"),
        ("strong-consistency true\nnsup-period 1\ndefault-ttl 9", "allow-expunge true"),
        ("index-type flash {\n}", "'index-type flash': this server keeps indexes in the memory"),
        ("index-type flash {\nmount /a\nmouts-budget 1G\n}", "did you mean 'mounts-budget'?"),
        ("index-type flash {\nmounts-size-limit 4G\n}", "instead: mounts-budget"),
        ("sindex-type pmem", "'sindex-type pmem': this server keeps indexes in the memory"),
        ("replication-factor {\n}", "has a value, not a block, expected a whole number"),
        ("storage-engine pmem {\nfile /x\n}", "no persistent memory here; write memory or device"),
        ("storage-engine device {\nfile /x\ncold-start-empty true\n}", "to start empty, delete"),
        (
            "storage-engine device {\ndevice /dev/a /dev/b\n}",
            "'/dev/a /dev/b'; there are no shadow",
        ),
        ("active-rack 7", "spreads masters over all racks"),
        ("rack-id 1000001", "from 0 to 1000000"),
        ("replication-factor 0", "from 1 to 256"),
        ("replication-factor", "no value"),
        ("replication-factor 1 2", "one value, not '1 2'"),
        ("conflict-resolution-policy newest", "generation or last-update-time"),
        ("default-ttl 1h", "nsup-period"),
        ("default-ttl 0\ndefault-ttl 0", "twice, first on line 2"),
        ("set x {\nset-disable-eviction true\n}", "no 'set-' before it"),
        ("set x {\n}\nset x {\n}", "set 'x' is configured twice"),
        ("set {\n}", "must have 1 to 63 bytes"),
        ("geo2dsphere-within {\nmin-level 9\nmax-level 3\n}", "above max-level"),
        ("nsup-perid 10", "did you mean 'nsup-period'?"),
    ],
)
def test_namespace_lines_that_are_refused(line, expected):
    text = in_namespace(line)
    found = problems(text)
    assert any(expected in problem for problem in found), found
    assert all(problem.startswith("a.conf:") for problem in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("security {\n ldap {\n}\n}\n", "a.conf:2: ldap needs a server and a query-base-dn"),
        (
            "security { ldap {\nserver ldap://h\nquery-base-dn dc=x\nuser-dn-pattern cn=x\n} }\n",
            "with ${un} in it",
        ),
        (
            "security { ldap {\nserver h\nquery-base-dn dc=x\nuser-dn-pattern ${un}\n} }\n",
            "expected ldap://HOST[:PORT]",
        ),
        ("security {\n session-ttl 1\n}\n", "a.conf:2: 'session-ttl': '1' is not allowed here"),
        ("security {\n log {\n report-data-op a b c\n}\n}\n", "a namespace and a set"),
        ("xdr {\n dc x:y {\n}\n}\n", "a.conf:2: 'x:y' is no name of a dc"),
        ("xdr {\n dc x {\n}\ndc x {\n}\n}\n", "a.conf:4: dc 'x' is configured twice"),
        ("xdr {\n dc x {\nport 3\n}\n}\n", "a.conf:3: unknown name 'port' in the context 'dc'"),
        ("xdr {\n enable-xdr true\n}\n", "a.conf:2: 'enable-xdr' is obsolete"),
        ("xdr { dc x {\n node-address-port a 0\n} }\n", "a.conf:2: 'node-address-port'"),
        ("xdr { dc x {\n node-address-port a 1 t\n} }\n", "set tls-name first"),
        ("xdr { dc x {\n node-address-port a 1 t\ntls-name t } }\n", "there is no such tls block"),
        ("xdr { dc x {\n auth-mode pki\n} }\n", "auth-mode pki needs a tls-name"),
        ("xdr { dc x {\n auth-password-file secrets:a:b\n} }\n", "reads no secret store"),
        ("xdr { dc x {\n auth-mode internal\n} }\n", "needs an auth-user"),
        ("xdr { dc x { namespace other {\n} } }\n", "there is no namespace 'other' to be shipped"),
        (
            "xdr { dc x { namespace test {\n bin-policy only-changed\nwrite-policy replace } } }\n",
            "write-policy replace does not go with bin-policy only-changed",
        ),
        ("xdr { dc x { namespace test { bin-policy no-bins } } }\n", "for connectors only"),
        ("network { info { port 3003 } }\n", "a.conf:1: 'info' is obsolete"),
        ("network { tls { } }\n", "a.conf:1: a tls block has a name"),
        ("network { tls x { protocols TLSv1.0 } }\n", "'TLSv1.0' is not spoken"),
        ("network { tls x { key-file-password secret } }\n", "say where it is"),
        ("network { service { tls-port 4333 } }\n", "tls-port of service needs a tls-name"),
        ("network { service { tls-port 4333\ntls-name x } }\n", "there is no such tls block"),
        (
            "network { service { tls-port 4333\ntls-name x }\ntls x { } }\n",
            "tls x has no cert-file or no key-file",
        ),
        (
            "network { service { tls-port 4333\ntls-name x }\n"
            "tls x { cert-file c\nkey-file k } }\n",
            "tls x has no ca-file or ca-path to verify clients by",
        ),
        (
            "network { service { tls-authenticate-client any\ntls-authenticate-client ann } }\n",
            "do not go with names",
        ),
        ("network { service { port 99999 } }\n", "from 0 to 65535"),
        ("network { service { port 3000 }\n", "a.conf:1: the block 'network {' is never closed"),
        ("}\n", "a.conf:1: '}' closes a block that was never opened"),
        ("service\n{\n}\n", "a.conf:2: '{' without a name before it"),
        ('service { cluster-name "x\n}\n', "a.conf:1: a double quote is opened"),
        ("service x { }\n", "'service' takes no name"),
        ("service { }\nservice { }\n", "a.conf:2: 'service' is given twice, first on line 1"),
        ("namespace { }\n", "a namespace has one name"),
        ("namespace a { }\nnamespace a { }\n", "a.conf:2: namespace 'a' is configured twice"),
        ("namespace " + "n" * 32 + " { }\n", "1 to 31 bytes"),
        ("namespace null { }\n", "is no name"),
        ("nmspace test { }\n", "did you mean 'namespace'?"),
        ("whatever 1\n", "expected service, network, namespace, logging"),
        ("logging { console { context any loud } }\n", "'loud' is no log level"),
        ("logging { console { context nsupp info } }\n", "did you mean 'nsup'?"),
        ("logging { console { context some info } }\n", "'any' is for all of them"),
        ("logging { syslog { path /dev/log } }\n", "let the init system pass it on"),
        ("service { node-id G1 }\n", "expected 1 to 16 hexadecimal digits"),
        ("service { node-id 0 }\n", "expected 1 to 16 hexadecimal digits"),
        ("service {\nnode-id A1\nnode-id-interface eth0\n}\n", "the node has one identity"),
        ("network { heartbeat { mode multicast } }\n", "needs a multicast-group"),
        (
            "network { heartbeat {\nmode mesh\nmulticast-group 239.1.1.1\n} }\n",
            "mode mesh knows no multicast-group",
        ),
        (
            "network { heartbeat {\nmode multicast\nmulticast-group 239.1.1.1\n"
            "mesh-seed-address-port a 3002\n} }\n",
            "seeds are for mode mesh",
        ),
        ("network { heartbeat { multicast-group 10.0.0.1 } }\n", "expected a multicast address"),
        ("network { heartbeat { mesh-seed-address-port a:3002 } }\n", "expected HOST PORT"),
        ("network { heartbeat { mesh-seed-address-port a 0 } }\n", "with a port from 1 to 65535"),
        ("network { heartbeat { mesh-seed-address-port a b 1 } }\n", "takes a host and a port"),
        ("network { heartbeat { port 3002 } }\n", "a.conf:1: heartbeat has a port and fabric has"),
        (
            "network {\nservice { port 3001 }\nfabric { port 3001 }\n}\n",
            "a.conf:1: port 3001 is given to both service and fabric",
        ),
        ("logging { console { any info } }\n", "'context NAME LEVEL'"),
        ("logging { file { context any info } }\n", "'file PATH {'"),
        ("service { }\n", "there is no namespace"),
        ("", "there is no namespace"),
        ("a {" * 40, "nested more than"),
    ],
)
def test_files_that_are_refused(text, expected):
    found = problems(text)
    assert any(expected in problem for problem in found), found


def test_an_empty_security_block_is_access_control():
    assert read_config("namespace a { }").security is None
    assert read_config("security { }\nnamespace a { }").security == SecurityConfig()


def test_what_the_audit_log_is_to_tell():
    text = """\
security {
    enable-quotas
    session-ttl 1h
    log {
        report-violation true
        report-data-op test demo
        report-data-op bar
        report-data-op-user ann
    }
}
namespace a { }
"""
    security = read_config(text).security
    assert security is not None
    assert (security.enable_quotas, security.session_ttl) == (True, 3600)
    assert security.log.report_violation is True
    assert security.log.report_data_op == ("test demo", "bar")
    assert security.log.report_data_op_user == ("ann",)


def test_a_pattern_with_braces_is_one_word():
    lines = "server ldap://h\nquery-base-dn dc=x\nuser-dn-pattern uid=${un},ou=users"
    patterns = "role-query-pattern (&(a=b)(m=${dn}))\nrole-query-pattern (m=${un})"
    text = f"security {{\nldap {{\n{lines}\n{patterns}\n}}\n}}\nnamespace a {{ }}\n"
    security = read_config(text).security
    assert security is not None
    assert security.ldap is not None
    assert security.ldap.user_dn_pattern == "uid=${un},ou=users"
    assert security.ldap.role_query_pattern == ("(&(a=b)(m=${dn}))", "(m=${un})")
    assert ("ldap.polling-period", "300") in security.rows()
    security.set("ldap.polling-period", "10")
    assert security.ldap.polling_period == 10


def test_an_unclosed_block_names_the_line_it_opens_on():
    text = "service {\n}\nnamespace test {\n storage-engine memory {\n  data-size 4G\n}\n"
    assert problems(text)[0] == "a.conf:3: the block 'namespace test {' is never closed"


def test_counts_take_size_suffixes():
    text = """\
service { proto-fd-max 15K }
namespace test {
    partition-tree-sprigs 64K
    set some { stop-writes-count 10G }
}
"""
    config = read_config(text)
    assert config.service.proto_fd_max == 15 << 10
    test = config.namespaces["test"]
    assert test.partition_tree_sprigs == 64 << 10
    assert test.sets[b"some"].stop_writes_count == 10 << 30


def test_the_name_of_a_boolean_alone_means_true():
    config = read_config("service { run-as-daemon\nlog-millis }\n" + in_namespace("auto-revive"))
    assert config.service.run_as_daemon is True
    assert config.service.log_millis is True
    assert config.namespaces["test"].auto_revive is True


TLS = "\ntls x { cert-file c\nkey-file k\nca-file a } }\nnamespace a { }\n"
BY_TLS = "tls-name x\ntls-port 3012"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fabric { tls-name some }", "tls-name of fabric needs a tls-port"),
        ("admin { tls-name some }", "tls-name of admin needs a tls-port"),
        ("heartbeat { mode multicast\nmulticast-group 239.1.1.1\n%s }", "knows no TLS"),
        ("heartbeat { port 3002\n%s }", "give one of the two"),
        ("fabric { port 3001\n%s }", "give one of the two"),
        ("heartbeat { %s }\nfabric { %s }", "port 3012 is given to both heartbeat and fabric"),
        ("http { port 3012\n%s }", "port 3012 of http is both with TLS and without"),
        (
            "fabric { port 3001 }\nheartbeat { mesh-seed-address-port 10.0.0.2 3002\n%s }",
            "are tls-mesh-seed-address-port's",
        ),
        ("heartbeat { tls-mesh-seed-address-port 10.0.0.2 3012 }", "needs a tls-port"),
        ("http { %s\ntls-authenticate-client any\ntls-authenticate-client y }", "do not go with"),
    ],
)
def test_nothing_is_served_in_the_clear_that_is_to_be_encrypted(line: str, said: str):
    (problem,) = problems("network { " + line.replace("%s", BY_TLS) + TLS)
    assert said in problem


def test_what_a_cluster_is_told_is_read_and_typed():
    text = """\
service {
    cluster-name blue
    node-id 00a1
    migrate-threads 2
    migrate-fill-delay 1m
    migrate-max-num-incoming 8
}
network {
    heartbeat {
        mode multicast
        multicast-group 239.1.99.222
        multicast-group ff02::1
        multicast-ttl 4
        address 10.0.0.1
        port 9918
        interval 200
        timeout 15
        mtu 1500
        protocol v3
        connect-timeout-ms 700
    }
    fabric { port 3001
    address 10.0.0.1
    channel-rw-fds 3 }
}
namespace test {
    replication-factor 3
    conflict-resolution-policy last-update-time
    migrate-order 1
    migrate-sleep 5
    migrate-retransmit-ms 700
    prefer-uniform-balance false
    transaction-pending-limit 0
    disable-write-dup-res true
    read-consistency-level-override all
    write-commit-level-override master
}
"""
    config = read_config(text)
    service, heartbeat, fabric = config.service, config.network.heartbeat, config.network.fabric
    assert (service.cluster_name, service.node_id) == ("blue", "A1")
    assert (service.migrate_threads, service.migrate_fill_delay) == (2, 60)
    assert service.migrate_max_num_incoming == 8
    assert (heartbeat.mode, heartbeat.port, heartbeat.address) == ("multicast", 9918, ("10.0.0.1",))
    assert heartbeat.multicast_group == ("239.1.99.222", "ff02::1")
    assert (heartbeat.multicast_ttl, heartbeat.interval, heartbeat.timeout) == (4, 200, 15)
    assert (heartbeat.mtu, heartbeat.protocol, heartbeat.connect_timeout_ms) == (1500, "v3", 700)
    assert (fabric.port, fabric.address, fabric.channel_rw_fds) == (3001, ("10.0.0.1",), 3)
    test = config.namespaces["test"]
    assert (test.replication_factor, test.conflict_resolution_policy) == (3, "last-update-time")
    assert (test.migrate_order, test.migrate_sleep, test.migrate_retransmit_ms) == (1, 5, 700)
    assert test.prefer_uniform_balance is False
    assert (test.transaction_pending_limit, test.disable_write_dup_res) == (0, True)
    assert test.read_consistency_level_override == "all"
    assert test.write_commit_level_override == "master"


_NAMES = ["service", "namespace", "test", "set", "logging", "file", "console", "context", "any"]
_MORE = ["network", "port", "0", "storage-engine", "memory", "default-ttl", "cluster-name", "info"]
_WORDS = st.sampled_from([*_NAMES, *_MORE, "{", "}", "#", '"', "\n"])


@given(st.lists(_WORDS, max_size=40).map(" ".join) | st.text(max_size=60))
@settings(max_examples=100)
def test_any_text_is_a_configuration_or_a_list_of_problems(text):
    try:
        config = read_config(text)
    except ConfigFileError as error:
        found = error.problems or pytest.fail("an error without a problem")
    else:
        found = config.notices
        assert config.namespaces
    assert all(problem.line >= 1 for problem in found)
