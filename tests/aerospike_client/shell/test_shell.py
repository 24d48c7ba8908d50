"""The shell: commands at the prompt, and one at a time for scripts."""

from __future__ import annotations

import doctest
import fcntl
import io
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aerospike_client import Client, ClientError, IndexKind, InvalidParameter, Key
from aerospike_client.backup import Counts
from aerospike_client.shell import arguments, cli, output, progress, values
from aerospike_client.shell.arguments import COMMANDS, UsageError, command_parser, completions
from aerospike_client.shell.output import Output, table
from aerospike_client.shell.progress import Bar
from aerospike_client.shell.session import Session
from aerospike_client.shell.values import as_json, as_text, parse_value
from aerospike_common import AsBytes, AsGeojson
from aerospike_common.wire import ParticleType
from asd import Server

DOCS = Path(__file__).parents[3] / "docs"


class Shell:
    """A session whose lines are kept."""

    def __init__(self, client: Client) -> None:
        self.printed: list[str] = []
        self.session = Session(client, Output(self.printed.append))

    def __call__(self, line: str) -> str:
        self.printed.clear()
        assert self.session.line(line)
        return "\n".join(self.printed)

    def json(self, line: str) -> list[Any]:
        return [json.loads(text) for text in self(line + " --json").splitlines()]


@pytest.fixture
def client(aerospike_server: Server) -> Iterator[Client]:
    host, port = aerospike_server.address
    with Client(f"{host}:{port}") as client:
        yield client


@pytest.fixture
def shell(client: Client) -> Shell:
    return Shell(client)


@pytest.mark.parametrize("module", [arguments, output, progress, values])
def test_doctests(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


# ------------------------------------------------------------------------------------- records


def test_a_record_is_written_read_and_removed(shell: Shell) -> None:
    assert shell("put test people ada name='Ada Lovelace' born=1815 tags=\"['x', 2]\"") == "written"
    assert shell("get test people ada") == (
        "name  Ada Lovelace\nborn  1815\ntags  ['x', 2]\n(generation 1, never expires)"
    )
    assert shell("get test people ada born") == "born  1815\n(generation 1, never expires)"
    assert shell("put test people ada born=null") == "written"
    assert "born" not in shell("get test people ada")
    assert shell("remove test people ada") == "removed"
    assert shell("remove test people ada") == "there was none"
    with pytest.raises(ClientError):
        shell("get test people ada")


def transcript(page: str) -> list[tuple[str, str]]:
    """The commands of the manual's session, and what was answered to each."""
    block = page.split("    127.0.0.1:3000> ", 1)[1].split("\n\n", 1)[0]
    entries = [entry.splitlines() for entry in block.split("    127.0.0.1:3000> ")]
    return [(entry[0], "\n".join(line[4:] for line in entry[1:])) for entry in entries]


def test_the_manual_s_session_is_true(shell: Shell) -> None:
    entries = transcript((DOCS / "client-shell.md").read_text("utf-8"))
    assert len(entries) > 5
    assert [(command, answered(shell, command)) for command, _ in entries] == entries


def answered(shell: Shell, command: str) -> str:
    """What is printed, or complained of."""
    try:
        return shell(command)
    except (UsageError, InvalidParameter) as complaint:
        return str(complaint)


def test_scripts_get_json(shell: Shell) -> None:
    shell("put test - 7 b=\"b'\\x00'\" m=\"{1: 'a'}\" --send-key --ttl 1000")
    (record,) = shell.json("get test - 7")

    assert (record["key"], record["set"], record["generation"]) == (7, "", 1)
    assert 990 < record["ttl"] <= 1000
    assert record["bins"] == {"b": {"base64": "AA=="}, "m": {"1": "a"}}
    assert record["digest"] == Key("test", "", 7).digest.hex()
    assert shell.json("remove test - 7") == [{"removed": True}]


def test_several_operations(shell: Shell) -> None:
    shell("put test demo 1 n=1 tags=\"['a']\"")
    text = shell(
        'operate test demo 1 \'add("n", 2)\' \'lists.append("tags", "b")\' \'read("n")\''
        ' \'read_expression("twice", Bin("n") * 2)\''
    )

    assert text.splitlines()[:2] == ["bin    value", "-----  -----"]
    assert [line.split() for line in text.splitlines()[2:]][-2:] == [["n", "3"], ["twice", "6"]]


def test_scanning_with_a_condition_and_a_limit(shell: Shell, client: Client) -> None:
    for number in range(60):
        client.put(Key("test", "many", number), {"n": number, "odd": bool(number % 2)})

    assert shell("scan test many --where 'Bin(\"n\") == 3' --bins n").splitlines()[-1] == (
        "(1 record)"
    )
    assert shell("scan test").splitlines()[-1] == "(50 records, and more: --limit 500)"
    assert shell("scan test many --limit 100").splitlines()[-1] == "(60 records)"
    assert len(shell.json("scan test many")) == 60
    assert len(shell.json("scan test many --limit 4")) == 4


def test_querying_by_an_index(shell: Shell, client: Client) -> None:
    for number in range(10):
        client.put(Key("test", "demo", number), {"n": number, "s": f"s{number}"})
    client.create_index("by-n", "test", "demo", "n", IndexKind.NUMERIC).wait()
    client.create_index("by-s", "test", "demo", "s", IndexKind.STRING).wait()

    found = shell.json("query test demo n 3 5")
    assert sorted(each["bins"]["n"] for each in found) == [3, 4, 5]
    assert [each["bins"]["s"] for each in shell.json("query test demo s s7")] == ["s7"]
    with pytest.raises(InvalidParameter, match="a range has two integers"):
        shell("query test demo s a b")


# ------------------------------------------------------------------------------------- lists


def test_what_there_is(shell: Shell, client: Client) -> None:
    client.put(Key("test", "demo", 1), {"age": 1})
    client.create_index("by-age", "test", "demo", "age", IndexKind.NUMERIC).wait()
    client.udf_put("f.lua", "function f(r) return 1 end").wait()

    (namespace,) = shell.json("namespaces")
    assert (namespace["namespace"], namespace["objects"], namespace["copies"]) == ("test", 1, 1)
    assert [each["set"] for each in shell.json("sets test")] == ["demo"]
    assert shell("indexes").splitlines()[2].split()[:4] == ["test", "demo", "by-age", "age"]
    assert "f.lua" in shell("functions")
    assert len(shell.json("nodes")) == 1
    client.udf_remove("f.lua").wait()


def test_nothing_is_said_when_there_is_nothing(shell: Shell) -> None:
    assert shell("sets test") == "no sets"
    assert shell("indexes test") == "no indexes"
    assert shell.json("indexes test") == []


def test_info(shell: Shell) -> None:
    assert shell("info namespaces") == "test"
    assert [each["answer"] for each in shell.json("info namespaces --all")] == ["test"]
    with pytest.raises(ClientError):
        shell("info sindex-stat:namespace=test;indexname=none")


def test_explain(shell: Shell) -> None:
    assert shell("explain kwOTUQKjYWdlFQ==") == "Bin('age').int() > 21"
    assert shell("explain 9303935102a361676515") == "Bin('age').int() > 21"
    with pytest.raises(InvalidParameter):
        shell("explain zz")


def test_help(shell: Shell) -> None:
    listed = shell("help")
    assert all(name in listed for name in COMMANDS)
    assert "--ttl" in shell("help put")
    with pytest.raises(UsageError, match="no command is called 'nothing'"):
        shell("help nothing")


# ------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("fetch test demo 1", "invalid choice: 'fetch'"),
        ("get test", "usage: get"),
        ("put test demo 1 n", "BIN=VALUE, not 'n'"),
        ("get 'test", "quotes"),
        ("scan test --limit 0", "--limit is at least 1"),
        ("scan test --where 'Bin(\"a\") >= 1 and True'", "& | ~ instead of and"),
        ("scan test --where 'Bun(\"a\") >= 1'", "'Bun' is not known here; there are: Bin, Blob"),
        ("scan test --where 'Bin(\"a\").__class__'", "names with _ in front are not known here"),
        ("scan test --where 'Bin(\"a\" >= 1'", "not Python"),
        ("scan test --where '5'", "not an expression, but int"),
        ("operate test demo 1 '__import__(\"os\")'", "names with _ in front"),
        ("operate test demo 1 'add(\"n\")'", "missing 1 required positional argument"),
        ("operate test demo 1 'Bin(\"n\")'", "not an operation, but Bin"),
    ],
)  # fmt: skip
def test_a_line_that_is_none_says_what_would_be_right(
    shell: Shell, line: str, complaint: str
) -> None:
    with pytest.raises((UsageError, InvalidParameter)) as caught:
        shell(line)
    assert complaint in str(caught.value)


def test_lines_that_do_nothing(shell: Shell) -> None:
    assert shell("") == shell("  # a comment") == ""
    assert not shell.session.line("exit")


# ------------------------------------------------------------------------------------- parts


@pytest.mark.parametrize(
    "value", [0, -5, 1.5, "", "text", "two words", "36", "null", " x", b"\0", [1, "a"], {"a": 1}]
)
def test_values_are_shown_so_that_they_can_be_typed(value: Any) -> None:
    assert parse_value(as_text(value)) == value


def test_values_as_json() -> None:
    everything = {
        "geo": AsGeojson("{}"),
        "hll": AsBytes(b"\0", ParticleType.HLL),
        "deep": [{"x": (b"a", None)}],
        "odd": "\udcff",
    }
    assert json.loads(as_json(everything)) == {
        "geo": {"geojson": "{}"},
        "hll": {"base64": "AA==", "type": "HLL"},
        "deep": [{"x": [{"base64": "YQ=="}, None]}],
        "odd": "\ufffd",
    }


def test_tables_cut_what_is_long() -> None:
    assert table([{"a": "x" * 100}])[2] == "x" * 59 + "…"
    assert table([]) == []


def test_completions(shell: Shell, client: Client) -> None:
    client.put(Key("test", "demo", 1), {"a": 1})

    assert shell.session.complete("in") == ["indexes", "info"]
    assert shell.session.complete("get t") == ["test"]
    assert shell.session.complete("scan test ") == ["demo"]
    assert shell.session.complete("scan test demo --w") == ["--where"]
    assert shell.session.complete("backup --namespace ") == ["test"]
    assert shell.session.complete("help ba") == ["backup"]
    assert completions(["get", "test", "demo", ""], [], []) == []


def test_every_command_has_a_grammar() -> None:
    with pytest.raises(UsageError) as caught:
        command_parser().parse_args(["?"])
    assert all(repr(name) in str(caught.value) or name in str(caught.value) for name in COMMANDS)


def test_a_bar() -> None:
    drawn = io.StringIO()
    bar = Bar(drawn.write, 10, by_bytes=False)
    bar.show(Counts(records=5))
    bar.end(Counts(records=12))

    first, second = drawn.getvalue().split("\r")[1:]
    assert first.startswith("[############            ]  50 %  5 records")
    assert second.startswith("[########################] 100 %  12 records")
    Bar(None, 0, by_bytes=True).end(Counts())


# ------------------------------------------------------------------------------------- as a command


def run(server: Server, *words: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
    host, port = server.address
    command = [sys.executable, "-m", "aerospike_client", f"{host}:{port}", *words]
    return subprocess.run(
        command, input=typed, capture_output=True, text=True, timeout=60, check=False
    )


def test_one_command(aerospike_server: Server) -> None:
    assert run(aerospike_server, "put", "test", "demo", "1", "a=5").stdout == "written\n"
    got = run(aerospike_server, "--json", "get", "test", "demo", "1")
    assert json.loads(got.stdout)["bins"] == {"a": 5}

    missing = run(aerospike_server, "get", "test", "demo", "2")
    assert (missing.returncode, missing.stderr) == (1, "there is no such record\n")
    wrong = run(aerospike_server, "got")
    assert wrong.returncode == 2
    assert "invalid choice" in wrong.stderr


def test_lines_that_are_piped_in(aerospike_server: Server) -> None:
    typed = "put test demo 1 a=5\nwhat\nget test demo 1\nexit\nget test demo 1\n"
    done = run(aerospike_server, typed=typed)

    assert done.returncode == 1
    assert done.stdout == "written\na  5\n(generation 1, never expires)\n"
    assert "invalid choice: 'what'" in done.stderr


def test_backup_and_restore(aerospike_server: Server, client: Client, tmp_path: Path) -> None:
    for number in range(20):
        client.put(Key("test", "demo", number), {"n": number})
    file = tmp_path / "test.asb"
    words = ["backup", "--namespace", "test", "--output", str(file), "--where", 'Bin("n") < 15']
    saved = run(aerospike_server, *words)
    assert saved.stdout == f"15 records, 0 indexes, 0 files of functions: {file}\n"
    assert file.read_bytes().startswith(b"Version 3.1\n# namespace test\n# first-file\n")
    assert not list(tmp_path.glob("*.part"))

    client.truncate("test")
    restored = run(aerospike_server, "restore", "--input", str(file))
    assert restored.stdout == "15 records restored, 0 kept, 0 expired\n"
    assert len(list(client.query("test"))) == 15

    file.write_bytes(file.read_bytes()[:-5])
    broken = run(aerospike_server, "restore", "--input", str(file), "--existing", "any")
    assert broken.returncode == 1
    assert "expected" in broken.stderr
    missing = run(aerospike_server, "restore", "--input", str(tmp_path / "none"))
    assert "No such file" in missing.stderr


def test_whoever_reads_may_stop(aerospike_server: Server, client: Client) -> None:
    for number in range(3000):
        client.put(Key("test", "demo", number), {"text": "x" * 100})
    host, port = aerospike_server.address
    command = f"{sys.executable} -m aerospike_client {host}:{port} scan test --json | head -1"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )

    assert json.loads(done.stdout)["namespace"] == "test"
    assert done.stderr == ""


def test_a_prompt_on_a_terminal(aerospike_server: Server, tmp_path: Path) -> None:
    pytest.importorskip("prompt_toolkit", reason="the extra shell is not installed")
    host, port = aerospike_server.address
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    shell = subprocess.Popen(
        [sys.executable, "-m", "aerospike_client", f"{host}:{port}"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "HOME": str(tmp_path), "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(theirs)

    def until(wanted: str) -> str:
        seen = ""
        for _ in range(200):
            if wanted in seen:
                return seen
            ready, _, _ = select.select([ours], [], [], 20)
            if not ready:
                break
            piece = os.read(ours, 4096)
            if b"\x1b[6n" in piece:  # where is the cursor?
                os.write(ours, b"\x1b[1;1R")
            seen += piece.decode("utf-8", "replace")
        raise AssertionError(f"{wanted!r} does not come after {seen!r}")

    try:
        until(f"{port}>")
        os.write(ours, b"info namespaces\r")
        until("test")
        os.write(ours, b"nonsense\r")
        until("invalid choice: 'nonsense'")
        os.write(ours, b"exit\r")
        assert shell.wait(30) == 1
        history = (tmp_path / ".aerospike_client_history").read_text("utf-8")
        assert "+info namespaces" in history
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["127.0.0.1:1", "namespaces"]) == 1
    assert "127.0.0.1:1" in capsys.readouterr().err
