"""System metadata on one node: a persisted map with versions, and its merge rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.metadata.files import FileStore
from cluster.metadata.smd import (
    MAX_VALUE_BYTES,
    MemoryStore,
    Smd,
    SmdCorrupt,
    SmdItem,
    latest,
    newest,
)

ITEMS = st.builds(
    SmdItem, st.integers(1, 3), st.integers(0, 3), st.none() | st.sampled_from(["a", "b"])
)
COPIES = st.dictionaries(st.sampled_from(["k", "l"]), ITEMS)


@pytest.fixture(params=["memory", "files"])
def store(request, tmp_path):
    return MemoryStore() if request.param == "memory" else FileStore(tmp_path / "smd")


def test_items_survive_a_restart_with_their_versions(store):
    smd = Smd(store, ["sindex", "UDF"])
    smd.set("sindex", "i1", "one", 10)
    smd.set("sindex", "i1", "two", 20)
    smd.set("sindex", "gone", "x", 20)
    smd.delete("sindex", "gone", 30)
    smd.set("UDF", "päth/ü.lua", 'text "with"\nlines', 40)
    again = Smd(store, ["sindex", "UDF"])
    assert again.get("sindex", "i1") == SmdItem(2, 20, "two")
    assert again.get("sindex", "gone") is None
    assert again.items("sindex")["gone"] == SmdItem(2, 30, None)
    assert again.get("UDF", "päth/ü.lua").value == 'text "with"\nlines'
    assert again.modules == ("sindex", "UDF")
    again._check()


def test_a_change_wins_whatever_the_clock_says(store):
    smd = Smd(store, ["truncate"], {"truncate": latest})
    smd.set("truncate", "ns", "1", 500)
    assert smd.set("truncate", "ns", "2", 100) == SmdItem(2, 501, "2")
    assert smd.get("truncate", "ns").value == "2"


def test_listeners_hear_what_is_there_and_what_changes(store):
    smd = Smd(store, ["sindex"])
    smd.set("sindex", "a", "1", 1)
    smd.set("sindex", "b", "1", 1)
    smd.delete("sindex", "b", 2)
    heard = []
    smd.listen("sindex", lambda key, item: heard.append((key, item.value)))
    smd.set("sindex", "a", "2", 2)
    smd.delete("sindex", "a", 3)
    smd.accept("sindex", {"a": SmdItem(1, 1, "old")})
    assert heard == [("a", "1"), ("a", "2"), ("a", None)]


def test_what_is_saved_is_readable(tmp_path):
    smd = Smd(FileStore(tmp_path), ["sindex"])
    smd.set("sindex", "b", "2", 2)
    smd.set("sindex", "a", "1", 1)
    text = (tmp_path / "sindex.smd").read_text("utf-8")
    assert text == '[\n["a", "1", 1, 1],\n["b", "2", 1, 2]\n]\n'
    assert [path.name for path in tmp_path.iterdir()] == ["sindex.smd"]


def test_what_is_no_module_is_refused(tmp_path):
    (tmp_path / "sindex.smd").write_text("[[1]]")
    with pytest.raises(SmdCorrupt, match="sindex"):
        Smd(FileStore(tmp_path), ["sindex"])
    with pytest.raises(ValueError, match="name"):
        FileStore(tmp_path).load("../other")
    with pytest.raises(KeyError):
        Smd(MemoryStore(), []).items("none")
    with pytest.raises(ValueError, match="may take"):
        Smd(MemoryStore(), ["m"]).set("m", "k", "x" * (MAX_VALUE_BYTES + 1), 0)


class Broken(MemoryStore):
    def save(self, module, data):
        raise OSError("disk full")


def test_what_could_not_be_saved_has_not_happened():
    smd = Smd(Broken(), ["m"])
    heard = []
    smd.listen("m", lambda *event: heard.append(event))
    with pytest.raises(OSError, match="disk full"):
        smd.set("m", "k", "v", 1)
    assert smd.get("m", "k") is None
    assert heard == []


@pytest.mark.parametrize("rule", [newest, latest])
@given(one=ITEMS, two=ITEMS, three=ITEMS)
def test_rules_do_not_depend_on_the_order(rule, one, two, three):
    assert rule(one, two) == rule(two, one)
    assert rule(rule(one, two), three) == rule(one, rule(two, three))
    assert rule(one, one) == one


@given(st.permutations(range(3)), st.lists(COPIES, min_size=3, max_size=3))
def test_a_merge_comes_to_the_same_on_every_node(order, copies):
    smd = Smd(MemoryStore(), ["m"], {"m": latest})
    merged = smd.merge("m", copies)
    assert merged == smd.merge("m", [copies[index] for index in order])
    for copy in copies:
        mine = Smd(MemoryStore(), ["m"], {"m": latest})
        mine.accept("m", copy)
        mine.accept("m", merged)
        assert dict(mine.items("m")) == merged
