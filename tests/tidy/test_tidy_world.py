"""Clock, randomness, network, threads and files are handed in: only adapters reach for them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

WORLD = frozenset(
    {"time", "random", "secrets", "uuid", "signal", "os", "io", "shutil", "tempfile", "glob"}
    | {"socket", "select", "selectors", "ssl", "subprocess", "fcntl"}
    | {"threading", "_thread", "multiprocessing", "concurrent", "queue"}
)
"""Modules of the world outside. Their CONSTANTS are free to use; everything else is not."""

HARMLESS = frozenset(
    {"PathLike", "fspath", "fsencode", "fsdecode", "BytesIO", "StringIO", "UUID", "SSLContext"}
    | {"SSLError", "SSLEOFError", "SSLCertVerificationError"}
)
"""Names in them that touch nothing."""

FILE_METHODS = frozenset(
    {"read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "rmdir", "iterdir"}
)
"""Methods of `pathlib.Path` that go to the disk."""

NOW_METHODS = frozenset({"now", "utcnow", "today"})

ADAPTERS = {
    "citrusleaf/src/citrusleaf/_waiting.py": "how the queues wait between threads",
    "citrusleaf/src/citrusleaf/cf_clock.py": "the system clock",
    "citrusleaf/src/citrusleaf/cf_hooks.py": "the mutexes of the primitives",
    "citrusleaf/src/citrusleaf/cf_random.py": "the system's entropy",
    "cluster/src/cluster/group.py": "sockets of multicast groups",
    "cluster/src/cluster/simulation/sweep.py": "spreads seeds over processes",
    "aerospike_client/src/aerospike_client/blocking/connection.py": "blocking sockets",
    "aerospike_client/src/aerospike_client/blocking/engine.py": "sleeps, and has the tend's thread",
    "aerospike_client/src/aerospike_client/blocking/tls_connection.py": "blocking TLS sockets",
    "aerospike_client/src/aerospike_client/tls.py": "reads certificates and makes TLS of them",
    "aerospike_client/src/aerospike_client/blocking/pools.py": "the lock of the pools",
    "aerospike_client/src/aerospike_client/changes/file_sink.py": "files of changes",
    "aerospike_client/src/aerospike_client/shell/files.py": "backup files",
    "aerospike_client/src/aerospike_client/shell/prompt.py": "lines that people type",
    "cluster/src/cluster/metadata/files.py": "metadata in files",
    "storage/src/storage/device.py": "files and devices",
    "asd/src/asd/daemon.py": "hands the real world to a node",
    "asd/src/asd/process/cli.py": "reads the configuration file",
    "asd/src/asd/process/compilation.py": "runs the compilers and writes the cache",
    "asd/src/asd/process/compiled.py": "reads the sources and the cache",
    "asd/src/asd/process/log_queue.py": "the thread that writes log lines",
    "asd/src/asd/cluster.py": "signals node processes",
    "asd/src/asd/process/links.py": "a proxy on a thread, with chance",
    "asd/src/asd/process/node_processes.py": "starts, signals and asks node processes",
    "asd/src/asd/process/supervisor.py": "handles signals and waits",
    "asd/src/asd/process/machine.py": "asks the operating system about the machine",
    "asd/src/asd/tls/certificates.py": "reads certificates and makes TLS of them",
    "asd/src/asd/control/place.py": "makes, finds and removes sockets",
    "asd/src/asd/control/server_process.py": "starts and ends the process of a server",
    "asd/src/asd/shipping/passwords.py": "reads the password for a destination",
    "asd/src/asd/security/ldap.py": "asks a directory, which blocks",
    "asd/src/asd/fixtures/files.py": "files of records",
    "asd/src/asd/fixtures/authority.py": "files of certificates",
    "asd/src/asd/hosted.py": "hands the real world to a node that another process ordered",
    "asd/src/asd/thread_host.py": "hosts a node in a thread",
    "asd/src/asd/process/worker.py": "a process of its own, with a socket",
    "asd/src/asd/process/workers.py": "starts and ends worker processes",
    "asd/src/asd/process/transaction_threads.py": "the threads for work that blocks",
}
"""The files that touch the world, and what of it they wrap."""


def world_names(tree: ast.Module) -> dict[str, str]:
    """Local name -> what it stands for, of every import from a module of the world."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in WORLD:
                    names[alias.asname or alias.name.split(".")[0]] = alias.name
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in WORLD:
            for alias in node.names:
                if not harmless(alias.name):
                    names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def harmless(name: str) -> bool:
    return name.isupper() or name in HARMLESS


def touches(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, what) of each use of the world."""
    names = world_names(tree)
    allowed = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and harmless(node.attr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names and node not in allowed:
            yield node.lineno, names[node.id]
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in ("open", "input", "breakpoint"):
                yield node.lineno, f"{called.id}()"
            if isinstance(called, ast.Attribute) and called.attr in FILE_METHODS:
                yield node.lineno, f".{called.attr}()"
            if isinstance(called, ast.Attribute) and called.attr in NOW_METHODS:
                owner = ast.unparse(called.value)
                if owner.split(".")[-1] in ("datetime", "date"):
                    yield node.lineno, f"{owner}.{called.attr}()"


def test_only_adapters_touch_the_world(sources):
    complaints = [
        f"{module.name}:{line}: uses {what}; let it be handed in (a Clock, a random source, the"
        " loop, a device), or name the file as an adapter here if it wraps nothing else"
        for module in sources
        if module.name not in ADAPTERS
        for line, what in touches(module.tree)
    ]
    assert not complaints, "\n" + "\n".join(complaints)


def test_every_named_adapter_still_is_one(sources):
    known = {module.name: module for module in sources}
    complaints = [
        f"{name} is named as an adapter but touches nothing outside; take it off the list"
        for name in ADAPTERS
        if name in known and not any(touches(known[name].tree))
    ]
    assert not complaints, "\n" + "\n".join(complaints)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time\ntime.sleep(1)", ["time"]),
        ("from time import sleep as nap\nnap(1)", ["time.sleep"]),
        ("def f():\n    import os.path\n    os.path.exists('x')", ["os.path"]),
        ("import socket\nsocket.TCP_NODELAY", []),
        ("from os import PathLike, fspath\ndef f(p: PathLike): return fspath(p)", []),
        ("open('x')", ["open()"]),
        ("path.read_text()", [".read_text()"]),
        ("import datetime\ndatetime.datetime.now()", ["datetime.datetime.now()"]),
        ("clock.now()", []),
        ("sock.open('x')", []),
    ],
)
def test_the_eye_for_the_world(source, found):
    assert [what for _, what in touches(ast.parse(source))] == found
