"""The life of a command: tables of what happens to it and what it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from views import view_of

from aerospike_client import Key, ReadPolicy, Replica, WritePolicy
from aerospike_client.commands import single
from aerospike_client.core.addresses import Address
from aerospike_client.core.command import Attempts, Step, told
from aerospike_client.core.nodes import Node
from aerospike_client.errors import (
    BackedOff,
    BadReply,
    ClientError,
    ConnectionFailed,
    GenerationMismatch,
    NodeUnavailable,
    NoMoreConnections,
    NotAuthenticated,
    RoleViolation,
    SecurityFailed,
    ServerError,
    TimedOut,
)
from aerospike_common.wire import encode_reply

KEY = Key("test", "s", 1)
OK = encode_reply(0, 3)
RETRYING = WritePolicy(max_retries=2)


class Story:
    """A command under way: events by name, the nodes it was sent to, the pauses it made."""

    def __init__(self, policy: WritePolicy | ReadPolicy, *nodes: str, max_error_rate: int = 100):
        self.view = view_of(*(nodes or ("A", "B")), max_error_rate=max_error_rate)
        command: Any
        if isinstance(policy, WritePolicy):
            command = single.put(self.view, KEY, {"a": 1}, policy)
        else:
            command = single.head(self.view, KEY, policy)
        self.now = 1_000_000
        self.attempts: Attempts[Any] = Attempts(self.view, command, self.now)
        self.asked: list[str] = []
        self.pauses: list[int] = []
        self.renewals = 0

    def run(self, *events: str | int) -> ClientError | None:
        """Play events; the error the command ended with, None for success."""
        rest = list(events)
        try:
            step = self.attempts.start(self.now)
            while step is not Step.DONE:
                if step is Step.SLEEP:
                    self.pauses.append(self.attempts.pause_us)
                    self.now += self.attempts.pause_us
                    step = self.attempts.woken(self.now)
                elif step is Step.RENEW:
                    self.renewals += 1
                    step = self.attempts.renewed(self.now)
                else:
                    assert self.attempts.node is not None
                    self.asked.append(self.attempts.node.name)
                    step = self._event(rest.pop(0))
                self.attempts._check()
        except ClientError as error:
            assert not rest
            return error
        assert not rest
        return None

    def run_while(self, events: Iterator[str | int]) -> ClientError | None:
        """As `run`, taking only as many events as it needs."""
        try:
            step = self.attempts.start(self.now)
            while step is not Step.DONE:
                step = self._event(next(events))
        except ClientError as error:
            return error
        return None

    def _event(self, event: str | int) -> Step:
        attempts = self.attempts
        if isinstance(event, int):
            return attempts.replied(encode_reply(event, 1), self.now)
        if event == "expired":
            self.now = attempts.deadline_us
            return attempts.expired(self.now)
        if event == "unsent":
            return attempts.unsent(self.now)
        reason, sent = ("broke", True) if event == "lost" else ("refused the connection", False)
        return attempts.broken(reason, sent, self.now)


@pytest.mark.parametrize(
    ("events", "error", "in_doubt", "asked"),
    [
        ([0], None, False, "A"),
        (["refused", 0], None, False, "AB"),
        (["lost", "lost", 0], None, False, "ABA"),
        (["refused"] * 3, ConnectionFailed, False, "ABA"),
        (["lost", "refused", "refused"], ConnectionFailed, True, "ABA"),
        (["unsent"] * 3, NoMoreConnections, False, "ABA"),
        ([3], GenerationMismatch, False, "A"),
        (["lost", 3], GenerationMismatch, True, "AB"),
        ([11, 18, 0], None, False, "ABA"),
        ([11, 11, 11], ServerError, False, "ABA"),
        ([9, 9, 9], TimedOut, True, "ABA"),
        ([9, 3], GenerationMismatch, True, "AB"),
        (["expired"], TimedOut, True, "A"),
    ],
)
def test_writes(
    events: list[str | int], error: type[ClientError] | None, in_doubt: bool, asked: str
) -> None:
    story = Story(RETRYING)
    ended = story.run(*events)
    assert (None if ended is None else type(ended)) is error
    assert "".join(story.asked) == asked
    if ended is not None:
        assert ended.in_doubt is in_doubt
        assert ended.attempts == len(asked)
        assert ended.node


@pytest.mark.parametrize(
    ("events", "error", "asked", "renewals"),
    [
        ([80, 0], None, "AA", 1),
        ([66, 0], None, "AA", 1),
        (["refused", 80, "refused", 0], None, "ABBA", 1),
        ([80, 80], NotAuthenticated, "AA", 1),
        ([80, "refused", 66], SecurityFailed, "AAB", 1),
        ([81], RoleViolation, "A", 0),
    ],
)
def test_a_session_that_has_ended_is_renewed_once(
    events: list[str | int], error: type[ClientError] | None, asked: str, renewals: int
) -> None:
    story = Story(RETRYING)
    ended = story.run(*events)
    assert (None if ended is None else type(ended)) is error
    assert "".join(story.asked) == asked
    assert story.renewals == renewals
    assert ended is None or not ended.in_doubt


def test_reads_are_never_in_doubt() -> None:
    ended = Story(ReadPolicy()).run("lost", "refused", "lost")
    assert isinstance(ended, ConnectionFailed)
    assert not ended.in_doubt


def test_the_message_says_who_did_what_how_often() -> None:
    ended = Story(attrs.evolve(RETRYING, replica=Replica.MASTER)).run(*["refused"] * 3)
    assert ended is not None
    assert f"no node answers for partition {KEY.partition_id} of 'test': " in str(ended)
    assert "a:3000 refused the connection 3 times" in str(ended)


def test_an_attempt_ends_with_socket_timeout_and_the_command_with_total_timeout() -> None:
    story = Story(WritePolicy(max_retries=9, socket_timeout=400, total_timeout=1000))
    ended = story.run("expired", "expired", "expired")
    assert isinstance(ended, TimedOut)
    assert story.now == 2_000_000
    assert "did not answer within 400 ms" in str(ended)


def test_pauses_are_made_between_attempts_and_never_beyond_the_end() -> None:
    story = Story(WritePolicy(max_retries=9, sleep_between_retries=300, total_timeout=1000))
    ended = story.run("refused", "refused", "refused", "refused")
    assert isinstance(ended, TimedOut)
    assert story.pauses == [300_000] * 3


def test_a_node_that_failed_too_often_is_left_alone() -> None:
    story = Story(RETRYING, "A", "B", max_error_rate=2)
    story.view.nodes["A"].errors = 2
    assert story.run(0) is None
    assert story.asked == ["B"]
    alone = Story(RETRYING, "A", max_error_rate=2)
    alone.view.nodes["A"].errors = 2
    ended = alone.run()
    assert isinstance(ended, BackedOff)
    assert "failed 2 times lately" in str(ended)


def test_who_has_no_part_in_a_record_is_asked_when_its_nodes_have_gone() -> None:
    story = Story(RETRYING, "A", "B")
    other = Node("C", Address("C", 3000))
    story.view.nodes["C"] = other
    for name in ("A", "B"):
        story.view.nodes[name].active = False
    assert isinstance(story.run(), NodeUnavailable)  # C has nothing of the namespace at all

    story = Story(RETRYING, "A", "B")
    story.view.nodes["C"] = other
    for name in ("A", "B"):
        story.view.nodes[name].active = False
    elsewhere = (KEY.partition_id + 1) % 4096
    story.view.tables["test"].columns[0][elsewhere] = other
    assert story.run("refused", 0) is None
    assert story.asked == ["C", "C"]


def test_many_attempts_without_a_node_need_no_stack() -> None:
    story = Story(WritePolicy(max_retries=5000), "A")
    story.view.nodes["A"].active = False
    ended = story.run()
    assert isinstance(ended, NodeUnavailable)
    assert "no node is known for partition" in str(ended)


@pytest.mark.parametrize("body", [b"", b"\x16" * 10])
def test_a_reply_that_is_cut_off_breaks_the_attempt(body: bytes) -> None:
    story = Story(ReadPolicy(max_retries=0))
    story.attempts.start(story.now)
    with pytest.raises(ConnectionFailed, match="cut off"):
        story.attempts.replied(body, story.now)


def test_a_reply_that_cannot_be_read_is_a_bad_reply() -> None:
    view = view_of("A")
    attempts = Attempts(view, single.get(view, KEY, ReadPolicy()), 0)
    attempts.start(0)
    with pytest.raises(BadReply, match="cut off"):
        attempts.replied(encode_reply(0, 1, n_ops=1, ops=b"\0\0\0\x20"), 1)


EVENTS = st.one_of(
    st.sampled_from(["refused", "lost", "expired", "unsent"]), st.sampled_from([0, 2, 3, 9, 11, 18])
)


@settings(deadline=None)
@given(st.lists(EVENTS, min_size=4, max_size=4), st.integers(0, 3))
def test_doubt_is_told_truly(events: list[str | int], retries: int) -> None:
    """In doubt after an error, just when a sent request may have been applied."""
    story = Story(WritePolicy(max_retries=retries, total_timeout=0, socket_timeout=100))
    played: list[str | int] = []
    original = story._event

    def record(event: str | int) -> Step:
        played.append(event)
        return original(event)

    story._event = record  # type: ignore[method-assign]  # the test looks on as it runs
    ended = story.run_while(iter(events))
    if ended is None:
        assert played[-1] == 0
    else:
        assert ended.in_doubt == any(event in ("lost", "expired", 9) for event in played)
        assert ended.attempts == len(played) <= retries + 1


def test_alike_failures_are_told_once() -> None:
    assert told([("a", "broke"), ("b", "broke"), ("a", "broke")]) == "a broke 2 times, b broke"
