"""What is made of the answers to info commands."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_client import BadReply, ClientError, IndexExists, TimedOut, UdfFailed
from aerospike_client.core.addresses import Address
from aerospike_client.core.nodes import Node
from aerospike_client.core.view import ClusterView
from aerospike_client.scripts import functions, indexes
from aerospike_client.scripts.effects import Effect, InfoAt, Pause, Script
from aerospike_client.scripts.info import info_failure, pairs, rows, until


def played(script: Generator[Effect, Any, Any], answers: list[str]) -> tuple[Any, list[Effect]]:
    """Run a script against answers to its info commands: what it ends with, and what it asked."""
    rest, asked = list(answers), []
    value: Any = None
    try:
        while True:
            effect = script.send(value)
            asked.append(effect)
            value = {effect.commands[0]: rest.pop(0)} if isinstance(effect, InfoAt) else None
    except StopIteration as end:
        return end.value, asked


def view(*builds: tuple[int, ...]) -> ClusterView:
    nodes = [Node(f"A{n}", Address("h", n), build=build) for n, build in enumerate(builds, 1)]
    return ClusterView(nodes={node.name: node for node in nodes})


@pytest.mark.parametrize(
    ("answer", "kind", "code", "message"),
    [
        ("ERROR:200:index exists", IndexExists, 200, "index exists"),
        ("ERROR::bad", ClientError, 1, "bad"),
        ("FAIL:4:bad parameter", ClientError, 4, "bad parameter"),
        ("error=not_found", UdfFailed, 100, "not found"),
        ("error=compile_error;file=a.lua;line=3;message=b29wcw==", UdfFailed, 100, "a.lua:3: oops"),
        ("error=compile_error;message=\x80", UdfFailed, 100, "compile error"),
    ],
)
def test_errors_are_recognized(
    answer: str, kind: type[ClientError], code: int, message: str
) -> None:
    error = info_failure(answer)
    assert isinstance(error, kind)
    assert (error.code, error.args[0]) == (code, message)


@pytest.mark.parametrize("answer", ["ok", "", "a=1;b=2", "errors=0"])
def test_answers_are_no_errors(answer: str) -> None:
    assert info_failure(answer) is None


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_answer_is_read(text: str) -> None:
    info_failure("error=" + text)
    info_failure("ERROR:" + text)
    rows(text)
    pairs(text)


def test_the_syntax_of_indexes_follows_the_server_s_version() -> None:
    index = indexes.Index("i", "test", "s", "b", indexes.IndexKind.NUMERIC)
    commands = []
    for build in ((8, 1, 0, 0), (7, 2, 0, 1)):
        _, asked = played(indexes.create(view(build), index, 1000), ["ok"])
        assert isinstance(asked[0], InfoAt)
        commands.append(asked[0].commands[0])
    assert commands == [
        "sindex-create:namespace=test;set=s;indexname=i;bin=b;type=NUMERIC",
        "sindex-create:ns=test;set=s;indexname=i;indexdata=b,NUMERIC",
    ]


def test_an_index_is_ready_when_all_nodes_say_so() -> None:
    two = view((8, 1), (8, 1))
    for answers, ready in (
        (["load_pct=100;", "load_pct=100"], True),
        (["load_pct=100;", "load_pct=99"], False),
        (["ERROR:201:no index"], False),
    ):
        assert played(indexes.is_ready(two, "test", "i", 1000), answers)[0] is ready
    with pytest.raises(BadReply):
        played(indexes.is_ready(two, "test", "i", 1000), ["load_pct=most"])


def test_a_module_is_there_when_all_nodes_have_it() -> None:
    two = view((8, 1), (8, 1))
    listed = "filename=a.lua,hash=12,type=LUA;"
    assert played(functions.is_everywhere(two, "a.lua", True, 9), [listed, listed])[0] is True
    assert played(functions.is_everywhere(two, "a.lua", True, 9), [listed, ""])[0] is False
    with pytest.raises(BadReply):
        played(functions.listed(two, 9), ["nonsense=1;"])


def test_waiting_pauses_longer_and_longer_and_ends() -> None:
    def never() -> Script[bool]:
        yield Pause(0)
        return False

    pauses = []

    def play() -> None:
        for effect in until(never, 500, "it"):
            assert isinstance(effect, Pause)
            pauses.append(effect.duration_ms)

    with pytest.raises(TimedOut, match="it is not through after 500 ms"):
        play()
    assert [pause for pause in pauses if pause] == [20, 40, 80, 160, 320]
