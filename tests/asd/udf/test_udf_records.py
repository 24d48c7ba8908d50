"""Functions on records: what they see of a record, and what becomes of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import FieldType, Info2, Info3, ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message, encode_message, parse_message
from asd.bins.particle import Particle
from asd.records.record import pack_bins, unpack_bins
from asd.transactions.outcome import count_udf, perform
from asd.transactions.transaction import Transaction
from asd.transactions.udf import udf_on_found
from asd.udf import Call

MODULE = """
local function save(rec)
  if aerospike:exists(rec) then return aerospike:update(rec) end
  return aerospike:create(rec)
end

-- steps of {"set", bin, value}, {"get", bin} and names of functions on the record
function play(rec, steps)
  local answers = list()
  for step in list.iterator(steps) do
    local name, bin, value = step[1], step[2], step[3]
    if name == "set" then rec[bin] = value
    elseif name == "get" then list.append(answers, rec[bin])
    elseif name == "save" then list.append(answers, save(rec))
    elseif name == "exists" then list.append(answers, aerospike:exists(rec))
    elseif name == "numbins" then list.append(answers, record.numbins(rec))
    else list.append(answers, aerospike[name](aerospike, rec)) end
  end
  return answers
end

function get(rec, name) return rec[name] end
function put(rec, name, value) rec[name] = value return save(rec) end
function grow(rec) list.append(rec.l, 9) return rec.l end
function grow_and_save(rec)
  local l = rec.l
  list.append(l, 0)
  rec.l = l
  list.append(l, 5)
  save(rec)
  list.append(l, 6)
end
function fail_late(rec) rec.x = 1 save(rec) error("late") end
function fill(rec, n) for i = 1, n do rec["b" .. i] = i end return save(rec) end
function rewrite(rec, n) for i = 1, n do rec.x = i end return save(rec) end
function names(rec)
  local l = list()
  for _, name in ipairs(record.bin_names(rec)) do list.append(l, name) end
  return l
end
function names_after(rec) rec.new = 1 rec.a = nil save(rec) return names(rec) end
function about(rec)
  return list{ record.gen(rec), record.ttl(rec), record.setname(rec), record.last_update_time(rec),
    record.key(rec), record.digest(rec), record.size(rec) == record.device_size(rec) }
end
function size(rec) return record.size(rec) end
function ttl(rec, seconds) record.set_ttl(rec, seconds) return save(rec) end
function forget(rec) record.drop_key(rec) return save(rec) end
function odd_names(rec) rec[5] = 1 rec["a\\0b"] = 2 rec[("x"):rep(16)] = 3 return save(rec) end
function kind(rec, name) return type(rec[name]) end
function wrong(rec) rec[{}] = 1 end
function now(rec) return aerospike:get_current_time() end
function speak(rec) info("hello %s", "you") aerospike:log(1, "watch out") print("a", 1) end
"""


@pytest.fixture
def lua(functions: Any) -> Any:
    functions.register(MODULE)
    return functions


# ------------------------------------------------------------ against a model

NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.one_of(
    st.tuples(st.just("set"), NAMES, st.one_of(st.integers(0, 9), st.none(), st.booleans())),
    st.tuples(st.just("get"), NAMES),
    st.tuples(st.sampled_from(["create", "update", "remove", "exists", "numbins", "save"])),
)


class Model:
    """A record as a function sees it."""

    def __init__(self, stored: dict[str, Any] | None) -> None:
        self.stored = stored
        self.pending: dict[str, Any] = {}
        self.touched = False
        self.removed = False

    def play(self, name: str, *rest: Any) -> list[Any]:
        if name == "set":
            self.pending.setdefault(rest[0], None)
            self.pending[rest[0]] = rest[1]
            return []
        if name == "get":
            return [self.pending.get(rest[0], (self.stored or {}).get(rest[0]))]
        if name == "exists":
            return [self.stored is not None]
        if name == "numbins":
            return [len(self.stored or {})]
        if name == "save":
            name = "create" if self.stored is None else "update"
        return [getattr(self, name)()]

    def create(self) -> int:
        if self.stored is not None:
            return 1
        self.stored = {}
        return self._write()

    def update(self) -> int:
        return -2 if self.stored is None else self._write()

    def remove(self) -> int:
        if self.stored is None:
            return 1
        self.stored, self.pending, self.touched = None, {}, True
        return 0

    def _write(self) -> int:
        assert self.stored is not None
        for name, value in self.pending.items():
            if value is None:
                delete(self.stored, name)
            else:
                self.stored[name] = value
        self.pending, self.touched = {}, True
        return 0


def delete(bins: dict[str, Any], name: str) -> None:
    """The last bin takes the place of the one deleted."""
    if name in bins:
        items = list(bins.items())
        place = list(bins).index(name)
        last = items.pop()
        if last[0] != name:
            items[place] = last
        bins.clear()
        bins.update(items)


@given(
    start=st.one_of(st.none(), st.dictionaries(NAMES, st.integers(0, 9), min_size=1)),
    steps=st.lists(STEPS, max_size=8),
)
@settings(max_examples=150)
def test_writing_a_record(shared: Any, start: dict[str, Any] | None, steps: list[Any]) -> None:
    shared.namespace.door.remove_unread(b"0123456789abcdefghij")
    if start is not None:
        shared.store({name.encode(): value for name, value in start.items()})
    model = Model(None if start is None else dict(start))
    answers = [value for step in steps for value in model.play(*step)]

    wire = [
        [f"\x03{step[0]}", *(f"\x03{x}" if isinstance(x, str) else x for x in step[1:])]
        for step in steps
    ]
    reply = shared.call("play", wire)

    bins = shared.bins()
    if model.touched and not model.stored:
        assert bins is None
        if start is None and model.stored == {}:
            assert reply.code == ResultCode.NOT_FOUND
        else:
            assert reply[:3] == (0, 2 if start else 0, 0)
        return
    assert shared.result("play", [["\x03exists"]]) == [bool(bins)]
    expected = model.stored if model.touched else start
    wanted = {name.encode(): value for name, value in (expected or {}).items()}
    assert (bins or {}) == wanted
    assert list(bins or ()) == list(wanted)
    assert reply.generation == (1 if start else 0) + model.touched
    assert as_msgpack.unpack(reply.ops[8 + len(b"SUCCESS") :]) == answers


@pytest.fixture(scope="module")
def shared(make_functions: Any) -> Any:
    made = make_functions()
    made.register(MODULE)
    return made


# -------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    "value", [True, False, 5, -(2**63), 2.5, "text", "", b"blob", [1, [2]], {1: [2], "\x03k": None}]
)
def test_a_bin_is_read_and_written_back(lua: Any, value: Any) -> None:
    lua.store({b"a": value})
    assert lua.result("get", "\x03a") == value
    assert lua.result("put", "\x03b", value if not isinstance(value, str | bytes) else None) == 0


def test_bins_of_every_other_type(lua: Any) -> None:
    place = Particle(ParticleType.GEOJSON, b"\0\0\1" + bytes(8) + b'{"type":"Point"}')
    sketch = Particle(ParticleType.HLL, b"\0" * 8)
    lua.namespace.store(
        b"0123456789abcdefghij", 1, 0, b"s", False, pack_bins({b"g": place, b"h": sketch})
    )
    assert lua.result("get", "\x03g").data == b'\0\0\0{"type":"Point"}'
    assert lua.result("get", "\x03h") == sketch
    assert lua.result("kind", "\x03g") == lua.result("kind", "\x03h") == "userdata"


def test_what_a_record_says_of_itself(lua: Any) -> None:
    lua.clock.advance(1000)
    now_s, now_ms = lua.clock.epoch_s(), lua.clock.epoch_ms()
    lua.store({b"a": 1}, void_time=now_s + 60, key=b"\x03mine")
    digest = "\x040123456789abcdefghij"
    assert lua.result("about") == [1, 60, "\x03s", now_ms, "\x03mine", digest, True]
    assert lua.result("size") % 16 == 0


def test_a_record_that_is_not_there(lua: Any) -> None:
    assert lua.result("about")[:2] == [0, 0]
    assert lua.result("get", "\x03a") is None
    assert lua.result("size") == 0
    assert lua.failure("names").endswith("can't get bin names")


def test_names_of_bins_follow_the_writes(lua: Any) -> None:
    lua.store({b"a": 1, b"b": 2, b"c": 3})
    assert lua.result("names") == ["\x03a", "\x03b", "\x03c"]
    assert lua.result("names_after") == ["\x03new", "\x03b", "\x03c"]
    assert list(lua.bins()) == [b"new", b"b", b"c"]


# -------------------------------------------------------------------- writing


def test_a_list_is_saved_as_it_was_when_it_was_saved(lua: Any) -> None:
    lua.store({b"l": [1]})
    assert lua.result("grow") == [1, 9]
    assert lua.bins() == {b"l": [1]}
    lua.call("grow_and_save")
    assert lua.bins() == {b"l": [1, 0, 5]}


def test_nothing_is_written_when_the_function_fails(lua: Any) -> None:
    lua.store({b"a": 1})
    assert lua.failure("fail_late").endswith(": late")
    assert lua.bins() == {b"a": 1}


@pytest.mark.parametrize(("count", "code"), [(512, 0), (513, 21)])
def test_bins_of_a_record_are_limited(lua: Any, count: int, code: int) -> None:
    assert lua.call("fill", count).code == code


@pytest.mark.parametrize(("count", "code"), [(1024, 0), (1025, 21)])
def test_writes_of_a_call_are_limited(lua: Any, count: int, code: int) -> None:
    lua.store({b"a": 1})
    assert lua.call("rewrite", count).code == code
    assert (lua.bins() == {b"a": 1}) is bool(code)


def test_a_record_that_grows_too_big(lua: Any) -> None:
    lua.store({b"a": 1})
    reply = lua.call("put", "\x03a", "\x03" + "x" * (1 << 20))
    assert reply == (ResultCode.RECORD_TOO_BIG, 1, 0, 0, b"")
    assert lua.namespace.statistics.fail_record_too_big == 1


def test_time_to_live(lua: Any) -> None:
    now_s = lua.clock.epoch_s()
    assert lua.call("put", "\x03a", 1, record_ttl=100).void_time == now_s + 100
    assert lua.call("ttl", -2).void_time == now_s + 100
    assert lua.call("ttl", 50).void_time == now_s + 50
    assert lua.call("ttl", -1).void_time == 0
    assert lua.call("ttl", 1 << 30).code == ResultCode.PARAMETER


@pytest.mark.parametrize(
    ("key", "seen"),
    [
        (b"\x03mine", "mine"),
        (b"\x01" + bytes(7) + b"\x07", 7),
        (b"\x04\x00\x01", b"\0\1"),
        (b"\x02" + bytes(8), None),
    ],
)
def test_a_function_sees_the_key_of_the_request(lua: Any, key: bytes, seen: Any) -> None:
    lua.register(
        "function key(rec) return record.key(rec) end"
        " function dropped(rec) record.drop_key(rec) return record.key(rec) end",
        "keys.lua",
    )
    sent = {"module": "keys", "fields": {FieldType.KEY: key}}
    assert lua.result("key", **sent) == seen
    lua.store({b"a": 1})
    assert lua.result("key", **sent) == seen
    assert lua.result("key", module="keys") is None
    assert lua.result("dropped", **sent) is None
    lua.store({b"a": 1}, key=b"\x03mine")
    assert lua.result("key", module="keys") == "mine"


@pytest.mark.parametrize("key", [b"", b"\x01\x00"])
def test_a_call_checks_the_key_of_a_record_that_is_there(lua: Any, key: bytes) -> None:
    lua.register("function nothing(rec) end function new(rec) rec.a = 1 aerospike:create(rec) end")
    fields = {FieldType.KEY: key}
    assert lua.call("nothing", fields=fields).code == 0
    if key:
        assert lua.call("new", fields=fields).code == ResultCode.UNSUPPORTED_FEATURE
    lua.store({b"a": 1})
    refused = ResultCode.UNSUPPORTED_FEATURE
    assert lua.call("nothing", fields=fields).code == refused


def test_the_stored_key(lua: Any) -> None:
    key = {FieldType.KEY: b"\x03mine"}
    lua.call("put", "\x03a", 1, fields=key)
    assert lua.result("about")[4] == "\x03mine"
    with pytest.raises(AssertionError):
        lua.result("get", "\x03a", fields={FieldType.KEY: b"\x03other"})
    assert lua.call("get", "\x03a", fields={FieldType.KEY: b"\x03other"}).code == 19
    lua.call("forget", fields=key)
    assert lua.result("about")[4] != "\x03mine"


def test_names_that_are_none(lua: Any) -> None:
    assert lua.call("odd_names").code == 0
    assert lua.bins() == {b"5": 1}
    assert "string expected, got table" in lua.failure("wrong")


def test_an_ordered_list_stays_in_order(lua: Any) -> None:
    ordered = Particle(ParticleType.LIST, b"\x93\xc7\x00\x01\x01\x02")
    lua.namespace.store(b"0123456789abcdefghij", 1, 0, b"s", False, pack_bins({b"l": ordered}))
    lua.call("grow_and_save")
    record = lua.namespace.load(b"0123456789abcdefghij", 0)
    assert unpack_bins(record[5])[b"l"].data == b"\x95\xc7\x00\x01\x00\x01\x02\x05"


# ------------------------------------------------------------------- requests


@pytest.mark.parametrize(
    "header",
    [
        {"info2": Info2.WRITE | Info2.GENERATION},
        {"info2": Info2.WRITE | Info2.CREATE_ONLY},
        {"info3": Info3.UPDATE_ONLY},
        {"info3": Info3.REPLACE_ONLY},
    ],
)
def test_conditions_are_refused(lua: Any, header: dict[str, int]) -> None:
    assert lua.call("get", "\x03a", **header).code == ResultCode.PARAMETER


def test_functions_can_be_disabled(make_functions: Any) -> None:
    functions = make_functions(disable_udf_execution=True)
    functions.register(MODULE)
    assert functions.call("get", "\x03a").code == ResultCode.FORBIDDEN


def test_failures_before_the_function_runs(lua: Any) -> None:
    assert lua.failure("get", module="absent") == "UDF: Execution Error 1"
    assert lua.failure("absent") == "function not found"
    assert lua.failure("_VERSION") == "attempt to call a string value"


def test_counters(lua: Any) -> None:
    lua.call("put", "\x03a", 1)
    lua.call("get", "\x03a")
    lua.call("absent")
    lua.call("play", [["\x03remove"]])
    client = lua.namespace.statistics.client
    assert (client.udf_complete, client.udf_error) == (3, 1)
    assert (client.lang_read_success, client.lang_write_success) == (1, 1)
    assert (client.lang_delete_success, client.lang_error) == (1, 1)


def test_time_and_log(lua: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert lua.result("now") == lua.clock.wall_ms()
    with caplog.at_level("INFO", "asd.udf"):
        lua.call("speak")
    texts = [record.getMessage() for record in caplog.records]
    assert [text.partition(": ")[2] for text in texts] == ["hello you", "watch out", "a\t1"]
    assert all(text.startswith("m.lua:") for text in texts)


# ----------------------------------------------------------- background jobs


def test_a_function_on_a_record_of_a_job(lua: Any) -> None:
    lua.store({b"a": 1}, key=b"\x03mine")
    counters = lua.namespace.statistics.udf_sub

    def apply(call: Call, digest: bytes = b"0123456789abcdefghij") -> Any:
        message = parse_message(encode_message(fields={FieldType.SET: b"s"}))
        transaction = Transaction(lua.namespace, message, digest, lua.node.expressions, counters)
        return perform(transaction, partial(udf_on_found, lua.node, call), count_udf)

    assert apply(Call("m", b"put", b"\x92\xa2\x03a\x05")).code == ResultCode.OK
    assert lua.bins() == {b"a": 5}
    assert lua.result("about")[4] == "\x03mine"
    assert apply(Call("m", b"absent", b"\x90")).code == ResultCode.UDF_EXECUTION
    assert apply(Call("m", b"fill", b"\x91\xcd\x03\x00")).code == ResultCode.BIN_NAME
    assert apply(Call("m", b"get", b"\x90"), bytes(20)).code == ResultCode.NOT_FOUND
    assert (counters.lang_write_success, counters.lang_error) == (1, 1)


@pytest.mark.parametrize(
    "missing", [FieldType.UDF_PACKAGE, FieldType.UDF_FUNCTION, FieldType.UDF_ARGS]
)
def test_a_call_needs_its_fields(missing: FieldType) -> None:
    fields: dict[int, bytes] = {
        FieldType.UDF_PACKAGE: b"m",
        FieldType.UDF_FUNCTION: b"f",
        FieldType.UDF_ARGS: b"\x90",
    }
    message = Message(0, Info2.WRITE, 0, 0, 0, 0, 0, 0, fields, [])
    assert Call.of(message) == ("m", b"f", b"\x90")
    del fields[missing]
    with pytest.raises(OperationError) as caught:
        Call.of(message)
    assert caught.value.code == ResultCode.PARAMETER
