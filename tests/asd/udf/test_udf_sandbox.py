"""Functions that run away, eat memory or look for a way out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.udf.lua_state import Host
from citrusleaf.cf_clock import VirtualClock

RUNAWAYS = {
    "a loop": "while true do end",
    "a loop around pcall": "while true do pcall(function() while true do end end) end",
    "a handler of xpcall": """
      local function endless() while true do end end
      xpcall(endless, endless)""",
    "a coroutine": "coroutine.wrap(function() while true do end end)()",
    "a coroutine in a loop": """
      while true do coroutine.resume(coroutine.create(function() while true do end end)) end""",
    "a variable to be closed": """
      local v <close> = setmetatable({}, { __close = function() while true do end end })
      error("closing")""",
    "a pattern": 'string.find(("a"):rep(300), ("a-"):rep(20) .. "b")',
    "a pattern of a method": '(("a"):rep(3000)):match(("a*"):rep(9) .. "b")',
    "a plain search": 'string.find(("a"):rep(1 << 22), ("a"):rep(1 << 21) .. "b", 1, true)',
    "a recursion": "local function f() return f() end f()",
    "methods of strings": """
      getmetatable("").__index = function() end
      string.sub = nil
      while true do end""",
    "a comparison": "table.sort({ 1, 2, 3 }, function() while true do end end)",
    "a replacement": '("x"):gsub(".", function() while true do end end)',
    "a metamethod of a value": """
      rec.x = tostring(setmetatable({}, { __tostring = function() while true do end end }))""",
    "reading code": "load(function() return ' ' end)()",
    "a module that loads": 'require("endless")',
}


@pytest.fixture
def functions(make_functions: Any) -> Any:
    """Functions whose clock stands still: only the count of instructions can stop them."""
    return make_functions()


@pytest.fixture(autouse=True)
def fewer_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits, reached sooner."""
    monkeypatch.setattr("asd.udf.lua_state.MAX_INSTRUCTIONS", 3_000_000)


@pytest.mark.parametrize("body", RUNAWAYS.values(), ids=RUNAWAYS.keys())
def test_a_runaway_is_stopped(functions: Any, body: str) -> None:
    functions.node.udf._sources["endless.lua"] = b"while true do end"
    functions.register(f"function run(rec)\n{body}\nend function well(rec) return 1 end")

    text = functions.failure("run")

    assert "Timeout" in text or "not enough memory" in text or "too large" in text
    assert functions.result("well") == 1


def test_a_runaway_s_text_has_module_and_line(functions: Any) -> None:
    functions.register("function run(rec)\n  while true do\n  end\nend")
    assert functions.failure("run") == "m.lua:2: UDF Execution Timeout"


def test_a_caught_timeout_is_still_one(functions: Any) -> None:
    functions.register(
        "function run(rec)\n"
        "  pcall(function() pcall(function() while true do end end) return nil end)\n"
        "  return 1\n"
        "end"
    )
    assert functions.failure("run") == "m.lua:2: UDF Execution Timeout"


def test_time_is_up_when_the_request_says_so(make_functions: Any) -> None:
    functions = make_functions()
    readings = iter(range(10**9))

    class Running(VirtualClock):
        def monotonic_us(self) -> int:
            return next(readings) * 1000

    functions.node.udf._host = Host(Running(), functions.node.udf._source)
    functions.register("function run(rec) while true do end end")
    assert functions.failure("run", timeout=20) == "m.lua:1: UDF Execution Timeout"
    assert next(readings) < 200


@pytest.mark.parametrize(
    "body",
    [
        "local t = {} while true do t[#t + 1] = {} end",
        'local s = "x" while true do s = s .. s end',
        'return ("x"):rep(1 << 30)',
        'return ("x"):rep(1 << 62)',
        "local b = bytes() while true do bytes.append_string(b, ('x'):rep(1 << 20)) end",
        "local l = list() while true do list.append(l, 'x' .. #l) end",
        "local c while true do local l = c c = coroutine.create(function() return l end) end",
        "local b = bytes() error(bytes.set_byte(b, 1 << 40, 1) or bytes.set_byte(b, 1 << 26, 1))",
    ],
)
def test_memory_is_bounded(functions: Any, body: str) -> None:
    functions.register(f"function eat(rec) {body} end function well(rec) return 1 end")
    text = functions.failure("eat")
    assert text in (
        "not enough memory",
        "resulting string too large",
        "result value type unexpected",
    ) or text.endswith(("resulting string too large", "UDF Execution Timeout"))
    assert functions.result("well") == 1


@pytest.mark.parametrize(
    "name",
    [
        "io",
        "os.execute",
        "os.getenv",
        "os.exit",
        "os.setlocale",
        "os.tmpname",
        "package",
        "python",
        "dofile",
        "loadfile",
        "string.dump",
        "debug.getinfo",
        "_G.io",
        "_ENV.os.remove",
    ],
)
def test_there_is_no_way_to_the_machine(functions: Any, name: str) -> None:
    functions.register(
        f"function look(rec) local ok, value = pcall(function() return {name} end)"
        " return ok and type(value) or 'nil' end"
    )
    assert functions.result("look") == "nil"


@pytest.mark.parametrize(
    "body",
    [
        'return load("\\27Lua")',
        'return load(string.char(27) .. "Lua", "x", "b")',
        "return setmetatable({}, { __gc = function() end })",
        "return require('nothing')",
        "return require(5)",
        "return table.move({}, 1, 1 << 60, 2)",
        "return table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 2)",
        "return rawset(rec, 'a', 1)",
        "return getmetatable(rec).__index.x",
        "return getmetatable(aerospike).__index()",
        "return next(rec)",
    ],
)
def test_doors_that_are_shut(functions: Any, body: str) -> None:
    functions.register(
        f"function try(rec) local a = (function() {body} end)() if not a then error('no') end end"
    )
    functions.failure("try")


def test_code_from_text_has_the_module_s_globals(functions: Any) -> None:
    functions.register(
        """
        x = 5
        function eval(rec, text) return load("return " .. text)() end
        function own(rec) return load("return x", "chunk", "t", { x = 7 })() end
        function pieces(rec)
          local parts = { "return ", "1 + 1" }
          return load(function() return table.remove(parts, 1) end)()
        end
        """
    )
    assert functions.result("eval", "\x03x + 1") == 6
    assert functions.result("eval", "\x03tostring(io)") == "nil"
    assert functions.result("own") == 7
    assert functions.result("pieces") == 2


def test_ordinary_lua_works(functions: Any) -> None:
    functions.register(
        """
        function all(rec)
          local out = list()
          local function add(...)
            for i = 1, select("#", ...) do list.append(out, (select(i, ...))) end
          end
          local t = { 3, 1, 2 }
          table.sort(t)
          add(table.concat(t, ","), #t, table.unpack(t))
          table.insert(t, 4) table.insert(t, 1, 0) add(table.remove(t), table.remove(t, 1))
          add(("%d-%s"):format(5, "x"), ("abc"):upper(), ("a,b"):find(",", 1, true))
          for word in ("one two"):gmatch("%a+") do add(word) end
          add((("aXb"):gsub("%u", "-")))
          local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2 end)
          add(co(1), co(10))
          add(pcall(error, "e"), xpcall(error, function(m) return m .. "!" end, "e"))
          local mt = { __index = function(_, k) return k end, __len = function() return 9 end }
          mt = setmetatable({}, mt)
          add(mt.key, #mt, rawlen({ 1 }), rawget({ a = 1 }, "a"), rawequal(t, t), next({ z = 1 }))
          add(math.type(1), math.tointeger(2.0), utf8.len("é"), tonumber("0x10"))
          add(math.sum(1, 2), math.product(2, 3))
          for i, v in ipairs(t) do add(i * v) end
          goto done
          add("skipped")
          ::done::
          return out
        end
        """
    )
    assert functions.result("all") == [
        *("\x031,2,3", 3, 1, 2, 3, 4, 0, "\x035-x", "\x03ABC", 2, 2, "\x03one", "\x03two"),
        *("\x03a-b", 2, 20, False, False, "\x03e!", "\x03key", 9, 1, 1, True, "\x03z", 1),
        *("\x03integer", 2, 1, 16, 3, 6, 1, 4, 9),
    ]


# ----------------------------------------------------------------------- fuzz


@given(packed=st.binary(max_size=60))
@settings(max_examples=150)
def test_no_arguments_harm_the_server(lua: Any, packed: bytes) -> None:
    reply = lua.call("anything", packed=packed)
    assert reply.code in (0, 100)


@given(module=st.binary(max_size=130), function=st.binary(max_size=130))
def test_no_names_harm_the_server(lua: Any, module: bytes, function: bytes) -> None:
    reply = lua.call("", fields={30: module, 31: function})
    assert reply.code == (4 if max(len(module), len(function)) > 127 else 100)


@given(function=st.sampled_from(["error", "load", "list", "StreamOps", "_G", "tostring", "select"]))
def test_no_global_harms_the_server(lua: Any, function: str) -> None:
    assert lua.call(function).code in (0, 100)


@pytest.fixture(scope="module")
def lua(make_functions: Any) -> Any:
    made = make_functions()
    made.register("function anything(rec, ...) return list{...} end")
    return made


def test_os_tells_the_time_of_the_servers_clock(functions: Any) -> None:
    functions.register("""
      function time(rec) return os.time() end
      function parts(rec) return os.time({year = 2020, month = 1, day = 2, hour = 0}) end
      function date(rec) return os.date("!%Y-%m-%d %H:%M:%S") end
      function date_of(rec, at) return os.date("!%H:%M:%S", at) end
      function year(rec) return os.date("!*t").year end
      function pause(rec) return os.difftime(os.time(), os.time() - 90) end
      function clock(rec) return os.clock() end
      function names(rec)
        local l = list()
        for name in pairs(os) do list.append(l, name) end
        return l
      end
      function bad(rec) return os.date("%Ez") end
    """)
    now_s = functions.clock.wall_ms() // 1000
    assert functions.result("time") == now_s
    before = functions.result("clock")
    functions.clock.advance(86_400)
    assert functions.result("time") == now_s + 86_400
    assert functions.result("clock") == before + 86_400
    expected = datetime.fromtimestamp(now_s + 86_400, UTC)
    assert functions.result("date") == expected.strftime("%Y-%m-%d %H:%M:%S")
    assert functions.result("year") == expected.year
    assert functions.result("date_of", 3_723) == "01:02:03"
    assert functions.result("pause") == 90
    assert abs(functions.result("parts") - 1_577_923_200) <= 14 * 3600  # local time
    assert sorted(functions.result("names")) == [
        f"\x03{n}" for n in ("clock", "date", "difftime", "time")
    ]
    assert "invalid conversion specifier" in functions.failure("bad")
