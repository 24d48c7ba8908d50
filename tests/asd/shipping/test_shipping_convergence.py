"""Servers that ship to each other and take writes on all sides: in the end all have the same."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aerospike_client import (
    BatchOperate,
    Client,
    Exists,
    Key,
    RecordNotFound,
    WritePolicy,
    operations,
)
from aerospike_client.errors import ServerError
from asd import Server
from asd.config import read_config
from shipping_sites import Site, until

Sites = Callable[[], Site]
DURABLE = WritePolicy(durable_delete=True)
BOTH_WAYS = "bin-policy=only-changed", "ship-bin-luts=true"


def key(name: str | int) -> Key:
    return Key("test", "people", name)


def bins(client: Client, name: str | int) -> dict[str, Any] | None:
    try:
        return dict(client.get(key(name)).bins)
    except RecordNotFound:
        return None


def converging(sites: Sites, count: int = 2) -> list[Site]:
    """Servers of which each ships to all others."""
    all_sites = [sites() for _ in range(count)]
    for number, site in enumerate(all_sites, 1):
        site.set(f"src-id={number}")
        answer = site.ask("set-config:context=namespace;id=test;conflict-resolve-writes=true")
        assert answer == "ok"
    for one, other in itertools.permutations(all_sites, 2):
        one.ship_to(f"to{all_sites.index(other)}", other.address, *BOTH_WAYS)
    return all_sites


def pause(site: Site, on: bool, name: str) -> None:
    site.set(f"dc={name};namespace=test;max-throughput={0 if on else 100000}")


def settled(*clients: Client, names: str = "ab") -> bool:
    return all(
        [bins(client, name) for client in clients] == [bins(clients[0], name)] * len(clients)
        for name in names
    )


def counter(site: Site, name: str) -> int:
    return int(dict(row.split("=") for row in site.ask("namespace/test").split(";"))[name])


def test_two_writers_of_different_bins_keep_both(sites: Sites) -> None:
    here, there = converging(sites)
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"x": 0, "y": 0})
        until(lambda: bins(other, "a"))
        pause(here, True, "to1")
        pause(there, True, "to0")
        one.put(key("a"), {"x": 1})
        other.put(key("a"), {"y": 2, "z": 3})
        assert bins(one, "a") == {"x": 1, "y": 0}
        pause(here, False, "to1")
        pause(there, False, "to0")
        until(lambda: bins(one, "a") == bins(other, "a") == {"x": 1, "y": 2, "z": 3})


def test_writers_of_the_same_bin_come_to_the_last_one(sites: Sites) -> None:
    here, there = converging(sites)
    with Client(here.address) as one, Client(there.address) as other:
        pause(here, True, "to1")
        pause(there, True, "to0")
        other.put(key("a"), {"x": "earlier"})
        later()
        one.put(key("a"), {"x": "later"})
        pause(there, False, "to0")
        until(lambda: counter(here, "fail_xdr_lost_conflict"))
        assert bins(one, "a") == {"x": "later"}
        pause(here, False, "to1")
        until(lambda: bins(other, "a") == {"x": "later"})


def test_deletes_of_bins_and_records_travel_and_nothing_older_comes_back(sites: Sites) -> None:
    here, there, third = converging(sites, 3)
    addresses = [site.address for site in (here, there, third)]
    with Client(addresses[0]) as one, Client(addresses[1]) as two, Client(addresses[2]) as three:
        one.put(key("a"), {"x": 1, "y": 1})
        one.put(key("b"), {"x": 1})
        until(lambda: settled(one, two, three) and bins(three, "b"))
        pause(there, True, "to2")
        two.put(key("a"), {"z": 1})
        two.put(key("b"), {"z": 1})
        until(lambda: bins(one, "a") == {"x": 1, "y": 1, "z": 1} and len(bins(one, "b") or {}) == 2)
        one.put(key("a"), {"y": None})
        one.remove(key("b"), DURABLE)
        until(lambda: bins(two, "b") is None and "y" not in (bins(three, "a") or {"y": 1}))
        pause(there, False, "to2")
        until(lambda: settled(one, two, three) and "z" in (bins(three, "a") or {}))
        assert bins(three, "a") == {"x": 1, "z": 1}
        assert bins(three, "b") is None, "what was written before the delete came after it"
        three.put(key("b"), {"new": 1})
        until(lambda: bins(one, "b") == bins(two, "b") == {"new": 1})


def test_a_write_that_an_other_is_ahead_of_and_a_replace_are_refused(sites: Sites) -> None:
    here, there = converging(sites)
    with Client(here.address) as one, Client(there.address) as other:
        with pytest.raises(ServerError) as refused:
            one.put(key("a"), {"x": 1}, WritePolicy(exists=Exists.CREATE_OR_REPLACE))
        assert refused.value.code == 22
        other.put(key("a"), {"x": 1})
        until(lambda: bins(one, "a"))
        one.put(key("a"), {"x": 2})
        until(lambda: bins(other, "a") == {"x": 2})


def test_a_ring_that_forwards_comes_to_an_end(sites: Sites) -> None:
    ring = [sites() for _ in range(3)]
    for at, site in enumerate(ring):
        site.ship_to("next", ring[(at + 1) % 3].address, "forward=true")
    with Client(ring[0].address) as one, Client(ring[2].address) as last:
        one.put(key("a"), {"x": 1})
        last.put(key("b"), {"y": 1})
        until(lambda: bins(last, "a") == {"x": 1} and bins(one, "b") == {"y": 1})
        one.remove(key("a"))
        until(lambda: bins(last, "a") is None)
        one.put(key("a"), {"x": 2})
        until(lambda: bins(last, "a") == {"x": 2})

        def shipped() -> list[tuple[str, str]]:
            rows = [site.figures("next") for site in ring]
            return [(row["success"], row["in_queue"] + row["in_progress"]) for row in rows]

        until(lambda: shipped() == shipped() and all(rest == "00" for _, rest in shipped()))
        assert all(int(success) <= 8 for success, _ in shipped()), shipped()
        assert bins(one, "a") == {"x": 2}


def test_only_bins_that_have_changed_go(sites: Sites) -> None:
    here, there = sites(), sites()
    here.ship_to("there", there.address, "bin-policy=only-changed", "ignore-bin=secret")
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"x": 1, "y": 1, "secret": 1})
        until(lambda: bins(other, "a") == {"x": 1, "y": 1})
        other.put(key("a"), {"x": 100})
        one.put(key("a"), {"y": 2})
        until(lambda: (bins(other, "a") or {}).get("y") == 2)
        assert bins(other, "a") == {"x": 100, "y": 2}
        one.put(key("a"), {"y": None, "z": 1})
        until(lambda: bins(other, "a") == {"x": 100, "z": 1})
        filtered = int(here.figures("there")["filtered_out"])
        one.put(key("a"), {"secret": 2})
        until(lambda: int(here.figures("there")["filtered_out"]) == filtered + 1)
        here.set("dc=there;namespace=test;action=add;rewind=all")
        until(lambda: bins(other, "a") == {"x": 1, "z": 1})


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("changed-and-specified", {"w": 0, "x": 0, "y": 0, "s": 5}),
        ("changed-or-specified", {"w": 0, "x": 5, "y": 0, "s": 5, "t": 0}),
    ],
)
def test_bins_that_are_named(sites: Sites, policy: str, expected: dict[str, int]) -> None:
    here, there = sites(), sites()
    named = "ship-bin=s", "ship-bin=t"
    here.ship_to("there", there.address, f"bin-policy={policy}", *named)
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"s": 1, "t": 0})
        until(lambda: bins(other, "a") == {"s": 1, "t": 0})
        other.put(key("a"), {"w": 0, "x": 0, "y": 0, "t": None})
        one.put(key("a"), {"x": 5, "s": 5})
        until(lambda: (bins(other, "a") or {}).get("s") == 5)
        assert bins(other, "a") == expected


def test_times_stay_with_what_is_stored_and_go_when_nobody_asks_for_them(sites: Sites) -> None:
    here, there = converging(sites)
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"x": 1, "y": 1})
        until(lambda: bins(other, "a"))
        other.put(key("a"), {"y": 2})
        until(lambda: bins(one, "a") == {"x": 1, "y": 2})
        one.touch(key("a"))
        assert bins(one, "a") == {"x": 1, "y": 2}
        one.remove(key("a"), DURABLE)
        until(lambda: bins(other, "a") is None)
        until(lambda: counter(there, "xdr_bin_cemeteries") == 1)
        there.ask("set-config:context=namespace;id=test;xdr-tomb-raider-period=1")
        there.ask("set-config:context=namespace;id=test;xdr-bin-tombstone-ttl=0")
        until(lambda: counter(there, "xdr_bin_cemeteries") == 0)


def test_a_destination_that_keeps_no_times_takes_plain_writes(sites: Sites) -> None:
    here, there = sites(), sites()
    here.set("src-id=7")
    here.ship_to("there", there.address, *BOTH_WAYS)
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"x": 1, "y": 1})
        until(lambda: bins(other, "a") == {"x": 1, "y": 1})
        one.put(key("a"), {"y": None, "x": 2})
        until(lambda: bins(other, "a") == {"x": 2})
        one.remove(key("a"), DURABLE)
        until(lambda: bins(other, "a") is None)
        assert here.figures("there")["abandoned"] == "0"


def test_what_tells_no_times_has_that_of_the_record(sites: Sites) -> None:
    """As from the real server: the time of the record's last update is that of all of its bins."""
    here, there = sites(), sites()
    assert there.ask("set-config:context=namespace;id=test;conflict-resolve-writes=true") == "ok"
    here.ship_to("there", there.address, "max-throughput=0")
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"x": "early", "y": "early"})
        one.put(key("b"), {"x": "early"})
        later()
        other.put(key("a"), {"x": "late"})
        pause(here, False, "there")
        until(lambda: bins(other, "a") == {"x": "late", "y": "early"} and bins(other, "b"))
        one.remove(key("b"))
        until(lambda: bins(other, "b") is None)
        one.put(key("a"), {"y": "last"})
        until(lambda: bins(other, "a") == {"x": "early", "y": "last"})


@pytest.mark.parametrize("way", ["batch", "function", "background"])
def test_every_way_to_write_has_times(sites: Sites, way: str) -> None:
    here, there = converging(sites)
    with Client(here.address) as one, Client(there.address) as other:
        one.put(key("a"), {"x": 0, "y": 0})
        until(lambda: bins(other, "a"))
        pause(here, True, "to1")
        pause(there, True, "to0")
        if way == "batch":
            one.batch([BatchOperate(key("a"), [operations.write("x", 1)])])
        elif way == "function":
            one.udf_put("set.lua", "function x(r) r['x'] = 1; aerospike:update(r) end").wait()
            one.apply(key("a"), "set", "x")
        else:
            one.write_all("test", "people", [operations.write("x", 1)]).wait()
        other.put(key("a"), {"y": 2})
        pause(here, False, "to1")
        pause(there, False, "to0")
        until(lambda: bins(one, "a") == bins(other, "a") == {"x": 1, "y": 2})


def later() -> None:
    """Return in another millisecond."""
    now_ms = time.time_ns() // 1_000_000
    until(lambda: time.time_ns() // 1_000_000 > now_ms)


def test_times_are_there_after_a_restart(sites: Sites, tmp_path: Path) -> None:
    there = converging(sites, 1)[0]
    config = read_config(
        f"""
        service {{ cluster-name x }}
        network {{ service {{ address 127.0.0.1
            port 0 }} }}
        namespace test {{ conflict-resolve-writes true
            max-record-size 1K
            storage-engine device {{ file {tmp_path}/records
            filesize 64M
            stop-writes-avail-pct 0 }} }}
        xdr {{ src-id 2 }}
        """
    )
    with Server(in_thread=True, config=config) as here, Client([here.address]) as one:
        one.put(key("a"), {"x": "first"})
        later()
        with Client(there.address) as other:
            other.put(key("a"), {"x": "second"})
        later()
        one.put(key("a"), {"y": "third"})
        many = [f"{number:02}" for number in range(44)]
        one.put(key("b"), dict.fromkeys(many, 1))
        later()
        with pytest.raises(ServerError) as refused:
            one.put(key("b"), dict.fromkeys(many[:22], 2))
        assert refused.value.code == 13, "with its bins' times it is larger than a record may be"
    with Server(in_thread=True, config=config) as here, Client([here.address]) as one:
        host, port = here.address
        there.ship_to("here", f"{host}:{port}", *BOTH_WAYS, attach=";rewind=all")
        until(lambda: bins(one, "a") == {"x": "second", "y": "third"})
