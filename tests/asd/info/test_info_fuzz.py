"""Whatever text comes in, every command is answered on one line, and nothing is raised."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asd.info import COMMANDS, respond
from asd.info.commands import MAX_REPLY

WORDS = """
    namespace ns id set context indexname indextype indexdata bin type exp size max hist module
    path value filename content content-len udf-type trid host port lut dc nodes generation
    default-ttl proto-fd-max any message
"""
KEYS = st.sampled_from(WORDS.split())
VALUES = st.one_of(
    st.sampled_from(["", "test", "nosuch", "0", "-1", "9" * 30, "9" * 5000, "true", "service"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), max_size=12),
    st.binary(max_size=6).map(lambda data: data.decode("utf-8", "surrogateescape")),
)
ARGUMENTS = st.one_of(
    st.lists(st.tuples(KEYS, VALUES).map("=".join), max_size=4).map(lambda p: ":" + ";".join(p)),
    st.lists(VALUES, max_size=3).map(lambda parts: "/" + "/".join(parts)),
    st.just(""),
)
LINES = st.tuples(st.sampled_from(sorted(COMMANDS)), ARGUMENTS).map("".join)


@pytest.mark.parametrize("edition", ["node", "enterprise_node"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, max_size=3))
def test_every_command_is_answered_on_a_line(
    request: pytest.FixtureRequest, edition: str, lines: list[str]
) -> None:
    node = request.getfixturevalue(edition)
    lines = [line.replace("\n", "").replace("\0", "") for line in lines]
    body = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    if not body:
        return
    reply = respond(node, node.connections[0], body)
    assert reply.count(b"\n") == len(lines)
    for line, answer in zip(body.split(b"\n"), reply.split(b"\n"), strict=True):
        assert answer.startswith(line)
    assert b"internal error" not in reply, "what is the server's own fault"


@given(body=st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_answered(node, body: bytes) -> None:
    reply = respond(node, node.connections[0], body)
    if body:
        assert reply.count(b"\n") == body.count(b"\n")
    assert b"internal error" not in reply


def test_a_request_that_asks_for_too_much_is_answered_in_part(node) -> None:
    reply = respond(node, node.connections[0], b"replicas\n" * 20_000)
    assert MAX_REPLY <= len(reply) < MAX_REPLY + 10_000
