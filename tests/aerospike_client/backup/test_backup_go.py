"""Files that backup-go wrote: the library of the makers behind asbackup and asrestore.

`backup_go/*.asb` were written by its version 0.3.1 from a server with the records, indexes and
functions below, once as usual and once with `Compact`. (It writes blobs of other languages as nil,
because its client knows no such values.) How the other way was proved is told in
`docs/backup-files.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aerospike_client import Client, Key
from aerospike_client.backup import (
    BackupReader,
    BackupRecord,
    SecondaryIndex,
    UdfFile,
    backup,
    restore,
)
from aerospike_client.operations import hlls, lists, maps
from aerospike_common import AsGeojson
from asd import Server

FILES = sorted((Path(__file__).parent / "backup_go").glob("*.asb"))
KEYS = ["text\nline \\ x", b"\x00\xff\n", 7, -(2**63), 2.5, ""]
VALUES = {
    "int": -1,
    "min": -(2**63),
    "max": 2**63 - 1,
    "double": 0.1,
    "big": 1e300,
    "text": "zwei\nZeilen \\ ä",
    "empty": "",
    "bytes": b"\n \\\0" * 50,
    "true": True,
    "false": False,
    "list": [1, "a", b"b", {"c": [None, 1.5]}],
    "map": {"b": 1, "a": {3: 4}},
    "place": AsGeojson('{"type": "Point", "coordinates": [1.0, 2.0]}'),
    "with space": 1,
    "elist": [],
    "emap": {},
}
INDEXES = {"by-age", "by-l", "by-mk", "by-mv", "by-geo", "by-blob", "by-tag"}
FUNCTIONS = b"function one(rec)\n  return 1\nend\n\n"


@pytest.fixture
def client(aerospike_server: Server) -> Iterator[Client]:
    with Client([aerospike_server.address]) as client:
        yield client
        client.udf_remove("one.lua").wait()  # a reset leaves it to the tests behind this one


def test_both_forms_are_here() -> None:
    assert [path.name for path in FILES] == ["base64.asb", "compact.asb"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_it_wrote_is_restored(path: Path, client: Client) -> None:
    with path.open("rb") as file:
        counts = restore(client, file.read)

    assert (counts.indexes, counts.functions, counts.empty) == (len(INDEXES), 1, 6)
    assert client.get(Key("test", "", "values")).bins == VALUES
    for number, name in enumerate(KEYS):
        record = client.get(Key("test", "keys", name))
        assert record.bins == {"a": number}
        assert (record.ttl() is None) == (number % 2 == 0)
    stored = {record.key.user_key for record in client.query("test", "keys")}
    assert stored == set(KEYS)
    assert {row["indexname"] for row in client.indexes("test")} == INDEXES
    assert client.udf_get("one.lua") == FUNCTIONS
    check_orders(client)


def check_orders(client: Client) -> None:
    """The list and the map are ordered still, the sketch counts."""
    key = Key("test", "ordered", 1)
    client.operate(key, [lists.append("l", 0), maps.put("m", "A", 0)])
    assert client.get(key).bins["l"] == [0, 1, 2, 3]
    assert list(client.get(key).bins["m"]) == ["A", "a", "b"]
    assert client.operate(key, [hlls.get_count("h")]).bins["h"] == 2


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_we_write_of_it_is_the_same(path: Path, client: Client) -> None:
    """Entry for entry, but for generations, and for what backup-go wrote as nil."""
    with path.open("rb") as file:
        theirs = entries(list(BackupReader(file.read)))
    with path.open("rb") as file:
        restore(client, file.read)
    parts: list[bytes] = []
    backup(client, "test", parts.append)
    data = iter([b"".join(parts)])

    assert entries(list(BackupReader(lambda _: next(data, b"")))) == theirs


def entries(found: list[Any]) -> dict[Any, Any]:
    """What a file holds, by name; lives to about a minute."""
    result: dict[Any, Any] = {}
    for entry in found:
        match entry:
            case BackupRecord():
                bins = sorted(each for each in entry.bins if each.particle_type)
                if bins:
                    named = entry.set_name, entry.user_key, entry.void_time // 60
                    result[entry.digest] = named, bins
            case SecondaryIndex() | UdfFile():
                result[entry.name] = entry
    return result
