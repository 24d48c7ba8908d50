"""Info: commands, parameters, replies, as recorded on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common.wire.errors import MessageError
from aerospike_common.wire.info import (
    encode_info_reply,
    encode_info_request,
    info_error,
    info_parameters,
    parse_info_command,
    parse_info_reply,
    parse_info_request,
)

LINES = st.text(st.characters(codec="utf-8", exclude_characters="\n\0\t"), max_size=20)


@pytest.mark.parametrize(
    ("body", "echoes"),
    [
        (b"", []),
        (b"build", []),
        (b"build\n", ["build"]),
        (b"build\nnosuch", ["build"]),
        (b"\nbuild\n", ["", "build"]),
        (b"build\r\n", ["build\r"]),
        (b"bui\0ld\n", ["bui"]),
        (b"\0\n", [""]),
        (b"\xff\xfe\n", ["\udcff\udcfe"]),
    ],
)
def test_requests_are_cut_into_lines(body: bytes, echoes: list[str]) -> None:
    assert [command.text for command in parse_info_request(body)] == echoes


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("build", "build", ""),
        ("build:", "build", ""),
        ("build/x", "build", "x"),
        ("build;edition", "build", "edition"),
        ("namespace/test/x", "namespace", "test/x"),
        ("set-config:context=service;a=b", "set-config", "context=service;a=b"),
        (" build", " build", ""),
        ("", "", ""),
    ],
)
def test_the_name_ends_at_a_separator(text: str, name: str, arguments: str) -> None:
    assert parse_info_command(text) == (text, name, arguments)


def test_parameters() -> None:
    assert info_parameters("") == {}
    assert info_parameters("a=1;b=;c;a=2;;d=x=y") == {"a": "1", "b": "", "c": "", "d": "x=y"}


def test_error_values() -> None:
    assert info_error(4, "missing 'id'") == "ERROR:4:missing 'id'"
    assert info_error(1, "bad-id") == "ERROR::bad-id"


def test_the_worked_example() -> None:
    assert encode_info_request(["node", "build"]) == b"node\nbuild\n"
    reply = encode_info_reply([("node", "BB9020011AC4202"), ("build", "8.1.2.0")])
    assert reply == b"node\tBB9020011AC4202\nbuild\t8.1.2.0\n"


@given(st.lists(LINES))
def test_requests_survive_the_wire(lines: list[str]) -> None:
    commands = parse_info_request(encode_info_request(lines))
    assert [command.text for command in commands] == lines


@given(st.binary())
def test_any_bytes_are_repeated_exactly(body: bytes) -> None:
    body = body.replace(b"\0", b"0") + b"\n"
    commands = list(parse_info_request(body))
    assert encode_info_request(command.text for command in commands) == body


@given(st.lists(st.tuples(LINES, LINES)))
def test_replies_survive_the_wire(answers: list[tuple[str, str]]) -> None:
    assert parse_info_reply(encode_info_reply(answers)) == answers


@pytest.mark.parametrize("body", [b"build\t8", b"build\n", b"a\tb\nc\n"])
def test_broken_replies(body: bytes) -> None:
    with pytest.raises(MessageError):
        parse_info_reply(body)
