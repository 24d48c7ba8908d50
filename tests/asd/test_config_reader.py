"""Reading aerospike.conf: what it means, and what is said when it is wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.config import Config, ConfigFileError, Edition, LogSink, read_config

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
    assert config.network.heartbeat.mesh_seed_address_port == ("10.0.0.2 3002", "10.0.0.3 3002")
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
        " nothing in this server depends on it"
    ]


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
        ("strong-consistency true", "no strong consistency"),
        ("index-type flash {\n}", "not a block"),
        ("rack-id 7", "knows no racks"),
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
        ("security {\n}\n", "a.conf:1: 'security': this server has no access control; remove it"),
        ("xdr {\n dc x {\n}\n}\n", "a.conf:1: 'xdr': this server ships no records"),
        ("network { info { port 3003 } }\n", "a.conf:1: 'info' is obsolete"),
        ("network { tls x { } }\n", "a.conf:1: 'tls': this server has no TLS"),
        ("network { service { tls-port 4333 } }\n", "no TLS"),
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


def test_an_unclosed_block_names_the_line_it_opens_on():
    text = "service {\n}\nnamespace test {\n storage-engine memory {\n  data-size 4G\n}\n"
    assert problems(text)[0] == "a.conf:3: the block 'namespace test {' is never closed"


def test_enterprise_parameters_in_the_community_edition():
    text = in_namespace("tomb-raider-period 10")
    assert read_config(text).namespaces["test"].tomb_raider_period == 10
    assert problems(text, Edition.COMMUNITY) == [
        "a.conf:2: 'tomb-raider-period' belongs to the enterprise edition"
    ]
    assert read_config(in_namespace("tomb-raider-period 86400"), edition=Edition.COMMUNITY)


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
