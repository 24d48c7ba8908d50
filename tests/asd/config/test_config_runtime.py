"""get-config and set-config."""

import pytest
from attrs.exceptions import FrozenAttributeError

from asd.config import (
    Config,
    Edition,
    EnterpriseOnlyError,
    InvalidParameterError,
    MissingNamespaceError,
    NamespaceConfig,
    SecurityConfig,
    ServiceConfig,
    SetConfig,
    StorageConfig,
    UnknownContextError,
    UnknownNamespaceError,
    get_config,
    set_config,
)


@pytest.fixture
def config() -> Config:
    return Config(namespaces={"test": NamespaceConfig("test", nsup_period=120)})


def test_rows_begin_and_end_as_tools_expect(config):
    service = get_config(config, "service")
    assert service[0] == ("advertise-ipv6", "false")
    assert service[-1] == ("work-directory", "/opt/aerospike")
    network = get_config(config, "network")
    assert network[0] == ("service.port", "3000")
    assert network[-1] == ("fabric.send-threads", "8")
    assert get_config(config) == service + network
    assert get_config(config, "security") == []
    assert get_config(config, "xdr") == [("dcs", ""), ("src-id", "0")]


def test_namespace_rows_are_in_the_order_of_the_protocol(config):
    names = [name for name, _ in get_config(config, "namespace", "test")]
    anchors = ["active-rack", "xdr-tomb-raider-threads", "geo2dsphere-within.strict"]
    anchors += ["geo2dsphere-within.earth-radius-meters", "index-type", "sindex-type"]
    anchors += ["storage-engine", "storage-engine.stripe[0]", "storage-engine.stripe[7]"]
    anchors += ["storage-engine.commit-to-device", "storage-engine.tomb-raider-sleep"]
    positions = [names.index(anchor) for anchor in anchors]
    assert positions == sorted(positions)
    assert len(set(names)) == len(names)


def test_every_row_is_safe_between_its_separators(config):
    for context, namespace in (("", None), ("namespace", "test")):
        for name, text in get_config(config, context, namespace):
            assert name
            assert text
            assert not set(";=\n\t") & set(name + text)


def test_an_unset_address_is_shown_as_null():
    assert ("secrets-address-port", "null") in get_config(Config(), "service")


def test_unset_lists_that_real_answers_leave_out():
    assert "alternate-access-address" not in "".join(name for name, _ in get_config(Config()))


@pytest.mark.parametrize(
    ("context", "name", "value", "shown"),
    [
        ("service", "proto-fd-max", "30000", "30000"),
        ("service", "query-threads-limit", "64", "64"),
        ("service", "cluster-name", "blue", "blue"),
        ("network", "heartbeat.interval", "200", "200"),
        ("network", "fabric.channel-rw-recv-threads", "3", "3"),
        ("namespace", "default-ttl", "30d", "2592000"),
        ("namespace", "replication-factor", "3", "3"),
        ("namespace", "max-record-size", "256K", "262144"),
        ("namespace", "geo2dsphere-within.max-cells", "16", "16"),
        ("namespace", "storage-engine.defrag-lwm-pct", "60", "60"),
    ],
)
def test_set_config_is_seen_by_get_config(config, context, name, value, shown):
    namespace = "test" if context == "namespace" else None
    set_config(config, context, namespace, None, name, value)
    assert dict(get_config(config, context, namespace))[name] == shown


def test_storage_parameters_may_be_named_bare(config):
    set_config(config, "namespace", "test", None, "defrag-sleep", "5")
    assert config.namespaces["test"].storage_engine.defrag_sleep == 5


@pytest.mark.parametrize(
    ("context", "namespace", "name", "value", "error"),
    [
        ("nosuch", None, "a", "1", UnknownContextError),
        ("service", None, "nosuch", "1", InvalidParameterError),
        ("service", None, "", "", InvalidParameterError),
        ("service", None, "proto-fd-max", "abc", InvalidParameterError),
        ("service", None, "node-id", "A1", InvalidParameterError),
        ("service", None, "vault-token-file", "/x", InvalidParameterError),
        ("network", None, "nosuch", "1", InvalidParameterError),
        ("network", None, "service.port", "1", InvalidParameterError),
        ("network", None, "heartbeat.nosuch", "1", InvalidParameterError),
        ("namespace", None, "default-ttl", "1", MissingNamespaceError),
        ("namespace", "nosuch", "default-ttl", "1", UnknownNamespaceError),
        ("namespace", "test", "nosuch", "1", InvalidParameterError),
        ("namespace", "test", "default-ttl", "abc", InvalidParameterError),
        ("namespace", "test", "default-ttl", "999999999999", InvalidParameterError),
        ("namespace", "test", "max-record-size", "5", InvalidParameterError),
        ("namespace", "test", "nsup-period", "-5", InvalidParameterError),
        ("namespace", "test", "active-rack", "5", InvalidParameterError),
        ("namespace", "test", "partition-tree-sprigs", "512", InvalidParameterError),
        ("namespace", "test", "storage-engine.data-size", "1G", InvalidParameterError),
        ("namespace", "test", "nosuch.default-ttl", "1", InvalidParameterError),
        ("security", None, "nosuch", "1", InvalidParameterError),
    ],
)
def test_refused_changes_change_nothing(config, context, namespace, name, value, error):
    before = (get_config(config), get_config(config, "namespace", "test"))
    with pytest.raises(error):
        set_config(config, context, namespace, None, name, value)
    assert (get_config(config), get_config(config, "namespace", "test")) == before


@pytest.mark.parametrize("context", ["security", "xdr"])
def test_enterprise_contexts(context):
    config = Config(edition=Edition.COMMUNITY)
    with pytest.raises(EnterpriseOnlyError):
        set_config(config, context, None, None, "nosuch", "1")


def test_enterprise_parameters():
    namespaces = {"test": NamespaceConfig("test")}
    config = Config(namespaces=namespaces, edition=Edition.COMMUNITY)
    with pytest.raises(EnterpriseOnlyError):
        set_config(config, "namespace", "test", None, "mrt-duration", "5")


def test_values_that_do_not_go_together_are_refused(config):
    set_config(config, "namespace", "test", None, "default-ttl", "60")
    with pytest.raises(InvalidParameterError, match="allow-ttl-without-nsup"):
        set_config(config, "namespace", "test", None, "nsup-period", "0")
    assert config.namespaces["test"].nsup_period == 120
    set_config(config, "namespace", "test", None, "allow-ttl-without-nsup", "true")
    set_config(config, "namespace", "test", None, "nsup-period", "0")


def test_a_set_need_not_exist(config):
    test = config.namespaces["test"]
    with pytest.raises(InvalidParameterError):
        set_config(config, "namespace", "test", b"kv", "nosuch", "1")
    with pytest.raises(InvalidParameterError):
        set_config(config, "namespace", "test", b"n" * 64, "default-ttl", "1")
    assert not test.sets
    set_config(config, "namespace", "test", b"kv", "default-ttl", "1h")
    assert test.default_ttl_of(b"kv") == 3600
    set_config(config, "namespace", "test", b"kv", "default-ttl", "0")
    assert test.default_ttl_of(b"kv") == test.default_ttl


def test_read_touch_of_sets(config):
    test = config.namespaces["test"]
    set_config(config, "namespace", "test", None, "default-read-touch-ttl-pct", "50")
    set_config(config, "namespace", "test", b"own", "default-read-touch-ttl-pct", "20")
    set_config(config, "namespace", "test", b"never", "default-read-touch-ttl-pct", "-1")
    assert [test.read_touch_ttl_pct_of(name) for name in (b"", b"own", b"never")] == [50, 20, 0]


def test_attributes_are_fixed_and_checked(config):
    with pytest.raises(FrozenAttributeError):
        config.namespaces["test"].default_ttl = 5
    with pytest.raises(ValueError, match="proto_fd_max"):
        ServiceConfig(proto_fd_max=-1)
    with pytest.raises(ValueError, match="nsup-period"):
        NamespaceConfig("test", default_ttl=5)
    with pytest.raises(ValueError, match="engines of this server"):
        StorageConfig("flash")
    with pytest.raises(ValueError, match="no name"):
        NamespaceConfig("a:b")


def test_two_nodes_share_nothing():
    one, two = NamespaceConfig("test"), NamespaceConfig("test")
    one.set_of_set(b"kv", "default-read-touch-ttl-pct", "5")
    one.set("defrag-sleep", "1")
    assert two == NamespaceConfig("test") != one
    assert two.set_config_of(b"kv") == SetConfig(b"kv")


def test_the_security_context_where_access_control_is_on():
    config = Config(security=SecurityConfig())
    rows = dict(get_config(config, "security"))
    assert (rows["session-ttl"], rows["log.report-violation"]) == ("86400", "false")
    set_config(config, "security", None, None, "session-ttl", "600")
    set_config(config, "security", None, None, "log.report-violation", "true")
    set_config(config, "security", None, None, "report-user-admin", "true")
    rows = dict(get_config(config, "security"))
    assert (rows["session-ttl"], rows["log.report-violation"]) == ("600", "true")
    assert rows["log.report-user-admin"] == "true"
    with pytest.raises(InvalidParameterError):
        set_config(config, "security", None, None, "enable-quotas", "true")
