"""Both faces have the same methods with the same parameters, results and words."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import aerospike_client
from aerospike_client import AsyncClient, Client, ClientPolicy
from aerospike_client.aio.stream import RecordStream as AsyncStream
from aerospike_client.aio.task import Task as AsyncTask
from aerospike_client.blocking.stream import RecordStream
from aerospike_client.blocking.task import Task

ROOT = Path(aerospike_client.__file__).parent


def methods(kind: type) -> dict[str, Callable[..., object]]:
    return {
        name: member
        for name, member in inspect.getmembers(kind)
        if inspect.isfunction(member) and not name.startswith("_")
    }


ASYNCHRONOUS_ONLY = {AsyncClient: {"changes"}}
"""A stream of changes is listened to: it needs a loop."""


@pytest.mark.parametrize(
    ("blocking", "asynchronous"),
    [(Client, AsyncClient), (RecordStream, AsyncStream), (Task, AsyncTask)],
)
def test_the_same_methods_and_signatures(blocking: type, asynchronous: type) -> None:
    ours, theirs = methods(blocking), methods(asynchronous)
    assert theirs.keys() - ours.keys() == ASYNCHRONOUS_ONLY.get(asynchronous, set())
    assert not ours.keys() - theirs.keys()
    for name, method in ours.items():
        assert inspect.signature(method) == inspect.signature(theirs[name]), name


def test_the_same_words() -> None:
    ours, theirs = methods(Client), methods(AsyncClient)
    different = {name for name in ours if ours[name].__doc__ != theirs[name].__doc__}
    assert different == {"add_listener"}


def arguments(source: Path) -> Iterator[tuple[str, ast.arg]]:
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            every = [*node.args.args, *node.args.kwonlyargs, *node.args.posonlyargs]
            yield from ((f"{source.name}:{node.name}", argument) for argument in every)


def test_every_argument_of_the_faces_has_a_type() -> None:
    untyped = [
        (where, argument.arg)
        for folder in ("blocking", "aio")
        for source in sorted((ROOT / folder).glob("*.py"))
        for where, argument in arguments(source)
        if argument.annotation is None and argument.arg not in ("self", "cls")
    ]
    assert untyped == []


def test_every_public_name_is_there() -> None:
    for name in aerospike_client.__all__:
        assert hasattr(aerospike_client, name)
    assert (ROOT / "py.typed").exists()


def test_defaults_are_the_official_ones() -> None:
    policy = ClientPolicy()
    assert (policy.read.total_timeout, policy.read.socket_timeout) == (1000, 30_000)
    assert (policy.read.max_retries, policy.write.max_retries) == (2, 0)
    assert (policy.query.total_timeout, policy.query.max_retries) == (0, 5)
    assert (policy.max_conns_per_node, policy.max_error_rate, policy.tend_interval) == (
        100,
        100,
        1000,
    )
