"""Info of a whole server, where the figures come from records and queries."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aerospike_common.wire.codes import Info2, OpType, ParticleType
from aerospike_common.wire.message import Op
from asd import Server

CIRCLE = b'{"type":"AeroCircle","coordinates":[[-122.0,37.5],5000]}'


def test_a_circle_is_one_entry_of_its_record(wire: Callable[[int], Any]) -> None:
    with Server(namespaces=["test"]) as server:
        client = wire(server.address[1])
        ops = [Op(OpType.WRITE, ParticleType.GEOJSON, b"area", b"\0\0\0" + CIRCLE)]
        for key in range(5):
            assert client.ask("test", key, info2=Info2.WRITE, ops=ops).result_code == 0
        index = "namespace=test;indexname=areas"
        assert client.info(f"sindex-create:{index};bin=area;type=geo2dsphere") == "ok"
        figures: dict[str, str] = {}
        for _ in range(1000):
            if figures.get("load_pct") == "100":
                break
            time.sleep(0.01)
            shown = client.info(f"sindex-stat:{index}")
            figures = dict(row.split("=") for row in shown.split(";") if not shown.startswith("E"))
    assert int(figures["entries"]) > 5
    assert figures["entries_per_rec"] == "1"
