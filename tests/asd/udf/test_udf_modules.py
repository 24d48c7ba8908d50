"""Registering modules: by info, kept by the system metadata, and the states made of them."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from aerospike_common.as_module import AsModuleError
from asd.info import respond
from asd.security.rights import UNRESTRICTED
from asd.udf import UdfModules
from citrusleaf.cf_clock import VirtualClock
from cluster.smd import MemoryStore, Smd


class Asker:
    """A connection that may do everything."""

    peer = "?"
    rights = UNRESTRICTED


ONE = "function f(rec) return 1 end"


def info(functions: Any, command: str) -> str:
    """The value that an info command answers."""
    body = respond(functions.node, Asker(), command.encode() + b"\n")
    return body.decode().rstrip("\n").partition("\t")[2]


def put(functions: Any, source: str, name: str = "m.lua", **parameters: str) -> str:
    content = base64.b64encode(source.encode()).decode()
    given = {"filename": name, "content": content, "content-len": str(len(content))}
    given |= {"udf-type": "LUA", **parameters}
    return info(functions, "udf-put:" + ";".join(f"{k}={v}" for k, v in given.items()))


def test_put_get_list_remove(functions: Any) -> None:
    assert info(functions, "udf-list") == ""
    assert put(functions, ONE) == "ok"
    content = base64.b64encode(ONE.encode()).decode()
    assert info(functions, "udf-get:filename=m.lua") == f"type=LUA;content={content};"
    row = info(functions, "udf-list")
    assert re.fullmatch(r"filename=m\.lua,hash=[0-9a-f]{40},type=LUA;", row)
    assert functions.result("f") == 1
    assert info(functions, "udf-remove:filename=m.lua") == "ok"
    assert info(functions, "udf-list") == ""
    assert info(functions, "udf-get:filename=m.lua") == "error=not_found"
    assert functions.failure("f") == "UDF: Execution Error 1"


def test_the_hash_follows_the_content(functions: Any) -> None:
    hashes = set()
    for source in (ONE, ONE + " ", ONE):
        put(functions, source)
        hashes.add(info(functions, "udf-list"))
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("source", "parameters", "answer"),
    [
        (ONE, {"filename": "m"}, "error=invalid_filename"),
        (ONE, {"filename": "a/b.lua"}, "error=invalid_filename"),
        (ONE, {"filename": "x" * 124 + ".lua"}, "error=invalid_filename"),
        (ONE, {"content-len": "1"}, "error=invalid_content_len"),
        (ONE, {"udf-type": "JAVA"}, "error=invalid_udf_type"),
        (ONE, {"content": "", "content-len": "0"}, "error=invalid_base64_content"),
        (ONE, {"content": "####", "content-len": "4"}, "error=invalid_base64_content"),
        ("-" * (1 << 20) + "-", {}, "error=invalid_udf_content_len,>1M"),
    ],
)
def test_refusals(functions: Any, source: str, parameters: dict[str, str], answer: str) -> None:
    assert put(functions, source, **parameters) == answer
    assert info(functions, "udf-list") == ""


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("function f(r) return 1 en\n", 1, "'end' expected near 'en'"),
        ("\n\nx = = 5", 3, "unexpected symbol near '='"),
        ("local a = nil\nreturn a.b", 2, "attempt to index a nil value (local 'a')"),
        ("\x1bLua", 0, "attempt to load a binary chunk (mode is 't')"),
        ("error({})", 0, "result value type unexpected"),
    ],
)
def test_what_does_not_compile(functions: Any, source: str, line: int, message: str) -> None:
    encoded = base64.b64encode(message.encode()).decode()
    expected = f"error=compile_error;file=m.lua;line={line};message={encoded}"
    assert put(functions, source) == expected
    with pytest.raises(AsModuleError):
        functions.node.udf.validate("m.lua", source.encode())
    assert functions.node.udf.get("m.lua") is None


def test_a_replaced_module_that_does_not_compile_stays(functions: Any) -> None:
    put(functions, ONE)
    assert put(functions, "x = = 5").startswith("error=compile_error")
    assert functions.result("f") == 1


def test_the_newest_source_is_called(functions: Any) -> None:
    for number in (1, 2, 3):
        functions.register(f"function f(rec) return {number} end")
        assert functions.result("f") == number
    assert info(functions, "udf-clear-cache:") == "ok"
    assert functions.result("f") == 3


def test_modules_require_one_another(functions: Any) -> None:
    functions.register("local M = {} function M.two() return 2 end return M", "lib.lua")
    functions.register('local lib = require("lib") function f(rec) return lib.two() end')
    assert functions.result("f") == 2
    functions.register("local M = {} function M.two() return 22 end return M", "lib.lua")
    assert functions.result("f") == 22


def test_globals_are_a_module_s_own(functions: Any) -> None:
    source = "count = 0 function f(rec) count = count + 1 string.mine = count return count end"
    functions.register(source)
    functions.register(
        "function g(rec) return list{ tostring(count), tostring(string.mine) } end", "n.lua"
    )
    assert functions.result("f") == 1
    assert functions.result("g", module="n") == ["\x03nil", "\x03nil"]


def test_a_module_with_another_extension_is_kept_but_not_run(functions: Any) -> None:
    assert put(functions, ONE, "m.txt") == "ok"
    assert functions.failure("f") == "UDF: Execution Error 1"


def test_a_spoiled_state_is_not_used_again(functions: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asd.udf.lua_state.MAX_INSTRUCTIONS", 100_000)
    functions.register("n = 0 function f(rec) n = n + 1 while n == 1 do end return n end")
    assert "Timeout" in functions.failure("f")
    assert "Timeout" in functions.failure("f")  # n is 1 again


# ----------------------------------------------------------------- persistence


def test_modules_outlive_a_restart() -> None:
    store, clock = MemoryStore(), VirtualClock()
    UdfModules(Smd(store, ["UDF"]), clock).put("m.lua", ONE.encode())
    again = UdfModules(Smd(store, ["UDF"]), clock)
    assert again.get("m.lua") == ONE.encode()
    assert [row.file_name for row in again] == ["m.lua"]
    again.remove("m.lua")
    assert UdfModules(Smd(store, ["UDF"]), clock).get("m.lua") is None


def test_a_change_from_elsewhere_is_taken_up() -> None:
    clock = VirtualClock()
    smd = Smd(MemoryStore(), ["UDF"])
    here, there = UdfModules(smd, clock), UdfModules(smd, clock)
    there.put("m.lua", ONE.encode())
    assert here.get("m.lua") == ONE.encode()


@pytest.mark.parametrize("value", ["", "{}", "[]", '{"content64": "#"}', '{"content64": 5}'])
def test_an_entry_that_cannot_be_read_harms_nothing(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    smd = Smd(MemoryStore(), ["UDF"])
    modules = UdfModules(smd, VirtualClock())
    smd.set("UDF", "m.lua", value, timestamp_ms=1)
    assert modules.get("m.lua") in (None, b"")
    assert modules.idle_state("absent") is None
