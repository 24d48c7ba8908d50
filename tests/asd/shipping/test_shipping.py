"""Servers that ship to each other: what is here is there in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from aerospike_client import Client, ClientPolicy, Key, RecordNotFound, WritePolicy
from aerospike_common.wire import inflate
from asd import Server
from asd.config import read_config
from asd.info import commands
from asd.service import way
from asd.shipping.compression import ASKED
from shipping_sites import Site, until

Sites = Callable[[], Site]


def key(name: str | int, set_name: str = "people") -> Key:
    return Key("test", set_name, name)


def bins(client: Client, name: str | int, set_name: str = "people") -> dict[str, Any] | None:
    try:
        return dict(client.get(key(name, set_name)).bins)
    except RecordNotFound:
        return None


def test_writes_deletes_and_times_to_live_arrive(sites: Sites) -> None:
    here, there = sites(), sites()
    here.ship_to("there", there.address)
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"x": 1, "name": "ada", "list": [1, {"b": 2.5}], "blob": b"\0\1"})
        one.put(key("b"), {"x": 1}, WritePolicy(ttl=1000))
        one.put(key("c"), {"x": 1})
        one.put(key("d"), {"x": 1})
        until(lambda: all(bins(other, name) for name in "abcd"))
        assert bins(other, "a") == bins(one, "a")
        assert 990 <= other.get(key("b")).ttl() <= 1000
        one.remove(key("c"))
        one.remove(key("d"), WritePolicy(durable_delete=True))
        until(lambda: bins(other, "c") is None and bins(other, "d") is None)
        for value in range(100):
            one.put(key("a"), {"x": value})
        until(lambda: (bins(other, "a") or {}).get("x") == 99)
        figures = here.figures("there")
        assert 6 <= int(figures["success"]) < 100
        counters = dict(row.split("=") for row in there.ask("namespace/test").split(";"))
        assert int(counters["xdr_client_write_success"]) >= 5
        assert counters["xdr_client_delete_success"] == "2"


def test_a_rewind_ships_what_was_there_before(sites: Sites) -> None:
    here, there = sites(), sites()
    with Client(here.address) as one, Client(there.address) as other:
        for number in range(500):
            one.put(key(number), {"x": number})
        one.remove(key(499))
        here.ship_to("there", there.address)
        one.put(key("new"), {"x": 1})
        until(lambda: bins(other, "new"))
        assert bins(other, 0) is None, "it was written before the namespace was attached"
        here.set("dc=there;namespace=test;action=add;rewind=all")
        until(lambda: int(here.figures("there")["recoveries_pending"]) == 0)
        until(lambda: all(bins(other, number) == {"x": number} for number in range(499)))
        assert bins(other, 499) is None
        assert here.figures("there")["recoveries"] == "4096"


def test_both_ways_nothing_goes_round_in_a_circle(sites: Sites) -> None:
    here, there = sites(), sites()
    here.ship_to("there", there.address)
    there.ship_to("here", here.address)
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"x": 1})
        other.put(key("b"), {"x": 2})
        until(lambda: bins(one, "b") and bins(other, "a"))
        one.put(key("b"), {"x": 3})
        until(lambda: bins(other, "b") == {"x": 3})
        there.set("dc=here;namespace=test;action=add;rewind=all")
        until(lambda: there.figures("here")["recoveries_pending"] == "0")
        assert there.figures("here")["success"] == "1", "only what was written there goes back"


def test_a_chain_forwards(sites: Sites) -> None:
    first, second, third = sites(), sites(), sites()
    first.ship_to("next", second.address)
    second.ship_to("next", third.address, "forward=true")
    with Client(first.address) as one, Client(third.address) as last:
        one.put(key("a"), {"x": 1})
        until(lambda: bins(last, "a") == {"x": 1})
        one.remove(key("a"))
        until(lambda: bins(last, "a") is None)


def test_sets_and_bins_are_chosen(sites: Sites) -> None:
    here, there = sites(), sites()
    here.ship_to("there", there.address, "ignore-set=secret", "ignore-bin=pin")
    with Client(here.address) as one, Client(there.address) as other:
        other.put(key("a"), {"kept": 1})
        one.put(key("s", "secret"), {"x": 1})
        one.put(key("p"), {"pin": 1})
        one.put(key("a"), {"x": 1, "pin": 2})
        until(lambda: (bins(other, "a") or {}).get("x"))
        assert bins(other, "a") == {"kept": 1, "x": 1}, "with bins left out it is an update"
        assert bins(other, "s", "secret") is None
        assert bins(other, "p") is None
        assert here.figures("there")["filtered_out"] == "1"


def test_a_filter_decides_record_by_record(sites: Sites) -> None:
    here, there = sites(), sites()
    here.ship_to("there", there.address)
    assert here.ask("xdr-set-filter:dc=there;namespace=test;exp=kwGTUQKkYmluMQY=") == "ok"
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("no"), {"bin1": 5})
        one.put(key("yes"), {"bin1": 6})
        until(lambda: bins(other, "yes"))
        until(lambda: here.figures("there")["filtered_out"] == "1")
        assert bins(other, "no") is None


def streams_come(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """The first bytes of what is compressed in the messages that come, counted from now on."""
    come, real = Counter[bytes](), way.decompressed

    def noted(body: bytes) -> bytes:
        come[body[8:12]] += 1
        return real(body)

    monkeypatch.setattr(way, "decompressed", noted)
    return come


@pytest.mark.parametrize(
    ("algorithm", "begins"),
    [("zlib", b"\x78"), ("zstd", b"\x28\xb5\x2f\xfd"), ("lz4", b"\x04\x22\x4d\x18")],
)
def test_compression(
    sites: Sites, monkeypatch: pytest.MonkeyPatch, algorithm: str, begins: bytes
) -> None:
    come, (here, there) = streams_come(monkeypatch), (sites(), sites())
    here.ship_to(
        *("there", there.address, "enable-compression=true", "compression-level=6"),
        f"compression-algorithm={algorithm}",
    )
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("long"), {"x": "abc" * 1000})
        one.put(key("short"), {"x": 1})
        one.put(key("noise"), {"x": Random(1).randbytes(1000)})
        until(lambda: all(bins(other, name) for name in ("long", "short", "noise")))
        assert bins(other, "long") == {"x": "abc" * 1000}
        figures = here.figures("there")
        assert figures["uncompressed_pct"] == "66.667", "one is short, one no shorter compressed"
        assert float(figures["compression_ratio"]) < 0.2
    assert come.total() == 1
    assert next(iter(come)).startswith(begins)


def test_another_compression_is_taken_up_while_it_ships(
    sites: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    come, (here, there) = streams_come(monkeypatch), (sites(), sites())
    here.ship_to("there", there.address, "enable-compression=true")
    with Client(here.address) as one, Client(there.address) as other:
        for name, algorithm in (("a", "zlib"), ("b", "zstd"), ("c", "lz4"), ("d", "zlib")):
            here.set(f"dc=there;namespace=test;compression-algorithm={algorithm}")
            one.put(key(name), {"x": algorithm * 1000})
            until(lambda name=name: bins(other, name))
    assert [begins[:1] for begins in come] == [b"\x78", b"\x28", b"\x04"]
    assert here.figures("there")["uncompressed_pct"] == "0.000"


def test_a_destination_that_knows_zlib_alone_gets_that(
    sites: Sites, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known = {name: handler for name, handler in commands.COMMANDS.items() if name != ASKED}
    monkeypatch.setattr(commands, "COMMANDS", known)
    monkeypatch.setattr(way, "decompressed", inflate)
    here, there = sites(), sites()
    settings = "enable-compression=true", "compression-algorithm=zstd"
    here.ship_to("there", there.address, *settings)
    with Client(here.address) as one, Client(there.address) as other:
        for number in range(20):
            one.put(key(number), {"x": "abc" * 1000})
        until(lambda: all(bins(other, number) for number in range(20)))
    figures = here.figures("there")
    assert (figures["abandoned"], figures["uncompressed_pct"]) == ("0", "0.000")
    assert float(figures["compression_ratio"]) < 0.2
    assert caplog.text.count("does not take zstd: what it gets is compressed by zlib") == 1


def test_a_delete_leaves_a_tombstone_until_it_is_shipped(sites: Sites) -> None:
    here, there = sites(), sites()
    here.ship_to("there", there.address, "max-throughput=0")

    def counted(name: str) -> str:
        return dict(row.split("=") for row in here.ask("namespace/test").split(";"))[name]

    with Client(here.address) as one:
        one.put(key("a"), {"x": 1})
        one.put(key("b"), {"x": 1})
        one.remove(key("a"))
        one.remove(key("b"), WritePolicy(durable_delete=True))
        assert (counted("tombstones"), counted("xdr_tombstones")) == ("2", "1")
        assert counted("objects") == "0"


def test_what_can_not_succeed_is_abandoned(sites: Sites, caplog: pytest.LogCaptureFixture) -> None:
    here, there = sites(), sites()
    there.ask("set-config:context=namespace;namespace=test;reject-xdr-writes=true")
    here.ship_to("there", there.address)
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"x": 1})
        until(lambda: here.figures("there")["abandoned"] == "1")
        assert "dc there: abandoned records: 1 with result 22" in caplog.text
        there.ask("set-config:context=namespace;namespace=test;reject-xdr-writes=false")
        one.put(key("a"), {"x": 2})
        until(lambda: bins(other, "a") == {"x": 2})


def test_a_destination_takes_only_what_is_shipped(sites: Sites) -> None:
    here, there = sites(), sites()
    there.ask("set-config:context=namespace;namespace=test;reject-non-xdr-writes=true")
    here.ship_to("there", there.address)
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"x": 1})
        until(lambda: bins(other, "a"))
        with pytest.raises(Exception, match=r"22|forbidden|not allowed"):
            other.put(key("b"), {"x": 1})
        with pytest.raises(Exception, match=r"22|forbidden|not allowed"):
            other.remove(key("a"))


def test_max_throughput_0_pauses(sites: Sites) -> None:
    here, there = sites(), sites()
    here.ship_to("there", there.address, "max-throughput=0")
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"x": 1})
        until(lambda: here.figures("there")["in_queue"] == "1")
        assert bins(other, "a") is None
        here.set("dc=there;namespace=test;max-throughput=1000")
        until(lambda: bins(other, "a"))


def test_expirations_are_shipped_where_that_is_asked_for(sites: Sites) -> None:
    here, there = sites(), sites()
    here.ask("set-config:context=namespace;namespace=test;nsup-period=1")
    here.ship_to("there", there.address, "ship-nsup-deletes=true")
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"x": 1}, WritePolicy(ttl=100))
        until(lambda: bins(other, "a"))
        other.touch(key("a"), WritePolicy(ttl=10_000))
        here.server.clock.advance(200)
        until(lambda: bins(other, "a") is None)


def test_a_destination_that_comes_late_and_one_that_moves(sites: Sites) -> None:
    here, there, other_place = sites(), sites(), sites()
    here.ship_to("there", "127.0.0.1:1")
    with Client(here.address) as one:
        one.put(key("a"), {"x": 1})
        until(lambda: here.figures("there")["in_queue"] == "1")
        here.set(f"dc=there;node-address-port={there.address};action=add")
        here.set("dc=there;node-address-port=127.0.0.1:1;action=remove")
        with Client(there.address) as other:
            until(lambda: bins(other, "a"))
        here.set(f"dc=there;node-address-port={other_place.address};action=add")
        here.set(f"dc=there;node-address-port={there.address};action=remove")
        one.put(key("b"), {"x": 2})
        with Client(other_place.address) as other:
            until(lambda: bins(other, "b"))


def ship_as(here: Site, user: str, password_file: Path, address: str) -> None:
    here.set("dc=there;action=create")
    here.set(f"dc=there;auth-user={user}")
    here.set(f"dc=there;auth-password-file={password_file}")
    here.set("dc=there;auth-mode=internal")
    here.set(f"dc=there;node-address-port={address};action=add")
    here.set("dc=there;namespace=test;action=add")


def test_it_logs_in_at_a_destination_that_asks_for_it(sites: Sites, tmp_path: Path) -> None:
    here = sites()
    with Server(in_thread=True, security=True) as guarded:
        guarded.create_user("shipper", "secret", "read-write")
        file = tmp_path / "password"
        file.write_text("secret\n")
        host, port = guarded.address
        ship_as(here, "shipper", file, f"{host}:{port}")
        policy = ClientPolicy(user="shipper", password="secret")
        with Client(here.address) as one, Client(f"{host}:{port}", policy) as other:
            one.put(key("a"), {"x": 1})
            until(lambda: bins(other, "a"))


def test_a_user_who_may_not_write_there_ships_nothing(sites: Sites, tmp_path: Path) -> None:
    here = sites()
    with Server(in_thread=True, security=True) as guarded:
        guarded.create_user("reader", "secret", "read")
        file = tmp_path / "password"
        file.write_text("secret")
        host, port = guarded.address
        ship_as(here, "reader", file, f"{host}:{port}")
        policy = ClientPolicy(user="reader", password="secret")
        with Client(here.address) as one, Client(f"{host}:{port}", policy) as other:
            one.put(key("a"), {"x": 1})
            until(lambda: here.figures("there")["abandoned"] == "1")
            assert bins(other, "a") is None


def test_a_restart_ships_what_was_not_shipped(tmp_path: Path, sites: Sites) -> None:
    there = sites()
    config = read_config(
        f"""
        service {{ cluster-name x }}
        network {{ service {{ address 127.0.0.1
            port 0 }} }}
        namespace test {{ storage-engine device {{ file {tmp_path}/records
            filesize 64M
            stop-writes-avail-pct 0 }} }}
        xdr {{ dc there {{ node-address-port {there.host} {there.port}
            namespace test {{ }} }} }}
        """
    )
    with Client(there.address) as other:
        with Server(in_thread=True, config=config) as here:
            site = Site(here)
            with Client(site.address) as one:
                one.put(key("a"), {"x": 1})
                until(lambda: bins(other, "a"))
                site.set("dc=there;namespace=test;max-throughput=0")
                one.put(key("b"), {"x": 2})
                one.remove(key("a"))
        assert bins(other, "b") is None
        config.xdr.dcs["there"].namespaces["test"].set("max-throughput", "1000")
        with Server(in_thread=True, config=config):
            until(lambda: bins(other, "b") and bins(other, "a") is None)


def found_roster(site: Site) -> None:
    """Let a node that stands alone serve its strong namespace."""
    name = site.ask("node")
    until(lambda: site.ask("roster:").endswith(f"observed_nodes={name}"))
    assert site.ask(f"roster-set:namespace=test;nodes={name}") == "ok"
    assert site.ask("recluster:") == "ok"
    until(lambda: "////" in site.ask("replicas"))


def test_records_of_a_strong_namespace_arrive_and_their_times_have_no_regime(sites: Sites) -> None:
    there = sites()
    config = read_config(
        f"""
        network {{ service {{ address 127.0.0.1
            port 0 }} }}
        namespace test {{ strong-consistency true
            replication-factor 1
            storage-engine memory {{ data-size 64M }} }}
        xdr {{ dc there {{ node-address-port {there.host} {there.port}
            namespace test {{ }} }} }}
        """
    )
    with Client(there.address) as other, Server(in_thread=True, config=config) as server:
        here = Site(server)
        found_roster(here)
        with Client(here.address) as one:
            one.put(key("a"), {"x": 1})
            one.put(key("b"), {"x": 2})
            until(lambda: bins(other, "a") and bins(other, "b"))
            one.remove(key("a"), WritePolicy(durable_delete=True))
            until(lambda: bins(other, "a") is None)
            here.set("dc=there;namespace=test;action=add;rewind=all")
            until(lambda: int(here.figures("there")["recoveries_pending"]) == 0)
            until(lambda: int(here.figures("there")["success"]) >= 5)
            assert int(here.figures("there")["lag"]) < 60
