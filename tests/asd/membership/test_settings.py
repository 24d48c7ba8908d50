"""The library's settings, out of configuration files as operators have them."""

from __future__ import annotations

from asd.config import Edition, read_config
from asd.membership.settings import (
    AT_A_TIME,
    MOST_AT_A_TIME,
    is_clustered,
    migration,
    published,
    settings,
    spread,
)
from asd.membership.state import Addresses
from cluster import ConflictPolicy

MESH = """
service { cluster-name c; node-id A1; migrate-threads 2; migrate-fill-delay 30 }
network {
    service { address any; port 3000; access-address 10.0.0.1 }
    heartbeat {
        mode mesh; address 10.0.0.5; port 3002; interval 200; timeout 5
        mesh-seed-address-port 10.0.0.6 3002
        mesh-seed-address-port 10.0.0.7 3002
    }
    fabric { address any; port 3001 }
}
namespace test {
    replication-factor 3
    rack-id 4
    conflict-resolution-policy last-update-time
    storage-engine memory
}
"""
MULTICAST = """
service { cluster-name c }
network {
    service { port 3000 }
    heartbeat { mode multicast; multicast-group 239.1.99.222; port 9918 }
    fabric { port 3001 }
}
namespace test { storage-engine memory }
"""


def lines(text: str) -> str:
    return text.replace(";", "\n").replace("{", "{\n").replace("}", "\n}")


def test_a_mesh() -> None:
    config = read_config(lines(MESH), "x.conf", Edition.ENTERPRISE)
    assert is_clustered(config)
    made = settings(config, 0xA1, 77, "192.168.0.9")
    assert made.identity.cluster_name == "c"
    assert made.identity.heartbeat == ("10.0.0.5", 3002)
    assert made.identity.fabric == ("192.168.0.9", 3001)
    assert made.binds == {"heartbeat": "10.0.0.5", "fabric": None}
    assert made.group is None
    beat = made.parts.heartbeat
    assert beat.seeds == (("10.0.0.6", 3002), ("10.0.0.7", 3002))
    assert (beat.interval_ms, beat.timeout_ms) == (200, 1000)
    assert made.parts.paxos.interval_ms == 200
    space = spread(config.namespaces["test"], community=False)
    assert (space.replication_factor, space.policy) == (3, ConflictPolicy.LAST_UPDATE_TIME)
    assert space.uniform
    assert not spread(config.namespaces["test"], community=True).uniform
    assert migration(config).threads == 2 * AT_A_TIME
    assert migration(config).fill_delay_ms == 30_000
    assert not space.fills_at_once
    assert space.rack == 4
    config.service.set("migrate-threads", "100")
    assert migration(config).threads == MOST_AT_A_TIME


def test_multicast() -> None:
    config = read_config(lines(MULTICAST), "x.conf", Edition.ENTERPRISE)
    made = settings(config, 1, 1, "127.0.0.1")
    assert made.group == ("239.1.99.222", 9918)
    assert made.parts.heartbeat.multicast


def test_what_clients_are_told() -> None:
    config = read_config(lines(MESH), "x.conf", Edition.ENTERPRISE)
    assert published(config, None, 3000, "h") == Addresses(("10.0.0.1:3000",))
    config = read_config(lines(MULTICAST), "x.conf", Edition.ENTERPRISE)
    assert published(config, ["any"], 3000, "h")[0] == ("h:3000",)
    assert published(config, ["::1"], 3000, "h")[0] == ("[::1]:3000",)


BY_TLS = """\
service {
    cluster-name blue
}
network {
    service {
        tls-name blue
        tls-port 4333
        tls-access-address example.org
        tls-access-port 443
        tls-alternate-access-address 10.9.0.1
    }
    heartbeat {
        address 10.0.0.1
        tls-name blue
        tls-port 3012
        tls-mesh-seed-address-port 10.0.0.6 3012
    }
    fabric {
        tls-address 10.0.0.2
        tls-name blue
        tls-port 3011
    }
    tls blue {
        cert-file c
        key-file k
        ca-file a
    }
}
namespace test {
}
"""


def test_nodes_that_talk_by_tls() -> None:
    config = read_config(BY_TLS, "x.conf", Edition.ENTERPRISE)
    assert is_clustered(config)
    made = settings(config, 1, 1, "h")
    assert made.identity.heartbeat == ("10.0.0.1", 3012)
    assert made.identity.fabric == ("10.0.0.2", 3011)
    assert made.binds == {"heartbeat": "10.0.0.1", "fabric": "10.0.0.2"}
    assert made.parts.heartbeat.seeds == (("10.0.0.6", 3012),)


def test_what_clients_that_speak_tls_are_told() -> None:
    config = read_config(BY_TLS, "x.conf", Edition.ENTERPRISE)
    told = published(config, None, 3000, "h")
    assert (told.tls, told.tls_alternate) == (("example.org:443",), ("10.9.0.1:443",))
    assert told.tls_name == "blue"


def test_a_node_without_a_heartbeat_port_is_alone() -> None:
    text = "network { service { port 3000 } }\nnamespace test { storage-engine memory }"
    assert not is_clustered(read_config(lines(text), "x.conf", Edition.ENTERPRISE))
