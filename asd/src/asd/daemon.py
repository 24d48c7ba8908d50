"""The daemon: here the real world (clock, loop, signals, files) is handed to a node."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path

from aerospike_common.as_password import hash_password
from aerospike_common.wire.errors import AerospikeError
from asd.config import Config, SecurityConfig, ServiceConfig
from asd.control.commands import Control
from asd.control.parent import Parent
from asd.control.place import Place
from asd.control.port import ControlPort
from asd.fixtures import contents
from asd.fixtures.files import read as read_records
from asd.node import SMD_MODULES, SMD_RULES, Node
from asd.process import compiled
from asd.process.cli import (
    CommandLineError,
    Options,
    build_config,
    check_config,
    parse_arguments,
)
from asd.process.fleet import supervisor
from asd.process.logging import LogSinks, formatter
from asd.process.loops import new_event_loop
from asd.process.machine import RealMachine, pin
from asd.process.workers import WorkerProcesses
from asd.security.accounts import DEFAULT_ADMIN_HASH
from asd.transactions.worker import Worker
from citrusleaf.cf_clock import SystemClock, VirtualClock
from cluster.smd import MemoryStore, Smd, SmdCorrupt
from cluster.smd_files import FileStore
from storage.engine import StorageError

log = logging.getLogger("asd.config")


def monotonic_s() -> float:
    """The time by the clock that never goes back."""
    return SystemClock.monotonic_ns() / 1e9


def run(arguments: list[str]) -> int:
    """Run the server until SIGTERM or SIGINT; the exit status."""
    options = parse_arguments(arguments)
    if options.compile:
        from asd.process import compilation  # needed by this option alone, and heavy

        return compilation.run()
    if options.check_config is not None:
        return check_config(options.check_config, options.edition)
    try:
        if options.nodes:
            return supervisor(options, arguments).run()
        config = build_config(options)
        control = None if options.control is None else Place.parse(options.control)
    except (CommandLineError, ValueError) as error:
        print(f"asd: {error}", file=sys.stderr)
        return 1
    if options.pin is not None:
        try:
            pin(options.pin)
        except OSError as error:
            print(f"asd: --pin {options.pin}: {error.strerror}", file=sys.stderr)
            return 1
    logs = LogSinks(config.logging)
    try:
        logs.attach(formatter(config.service, options.log_format), now_s=monotonic_s)
    except OSError as error:
        print(f"asd: cannot log to {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    for notice in config.notices:
        log.warning("%s", notice)
    if compiled.in_use():
        log.info("the request path is compiled")
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(_serve(config, logs, control, options))
    finally:
        logs.close()


def _system_metadata(config: ServiceConfig, *, secure: bool) -> Smd:
    """The metadata under the work directory; in memory when none was chosen and none is there."""
    chosen = config.work_directory != ServiceConfig().work_directory
    if not chosen and not os.path.isdir(config.work_directory):
        if secure:
            log.warning("users and roles end with this process: it has no work-directory")
        return Smd(MemoryStore(), SMD_MODULES, SMD_RULES)
    return Smd(FileStore(os.path.join(config.work_directory, "smd")), SMD_MODULES, SMD_RULES)


def _admin_hash(security: SecurityConfig | None) -> str:
    """The hash of the password that `admin` begins with. Raises OSError, ValueError."""
    if security is None or not security.default_password_file:
        return DEFAULT_ADMIN_HASH
    password = Path(security.default_password_file).read_text("utf-8").strip()
    if not password:
        raise ValueError("it is empty")
    return hash_password(password)


async def _serve(config: Config, logs: LogSinks, control: Place | None, options: Options) -> int:
    try:
        admin_hash = _admin_hash(config.security)
    except (OSError, ValueError) as error:
        print(f"asd: cannot take the password of default-password-file: {error}", file=sys.stderr)
        return 1
    clock = VirtualClock.running()
    try:
        node = Node(
            config,
            SystemClock() if control is None else clock,
            machine_id=uuid.getnode(),
            machine=RealMachine(),
            logs=logs,
            smd=_system_metadata(config.service, secure=config.security is not None),
            admin_hash=admin_hash,
            heavy=WorkerProcesses(Worker),
        )
    except (OSError, SmdCorrupt) as error:
        print(f"asd: cannot read the system metadata: {error}", file=sys.stderr)
        return 1
    stopping, hurried = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, logs.reopen)
    if options.until_eof:
        loop.add_reader(sys.stdin, _hear, Parent(node, _say), (stopping, hurried))
    try:
        await node.start()
    except (OSError, StorageError) as error:
        print(f"asd: cannot serve: {error}", file=sys.stderr)
        return 1
    port = None if control is None else ControlPort(Control(node, clock, stopping.set), control)
    if not await _load(node, options.load) or not await _control(port):
        await node.stop()
        return 1
    if await _served(node, stopping):
        host = node.addresses[0] if node.addresses else "0.0.0.0"
        print(f"asd ready {host}:{node.port}", flush=True)
        await stopping.wait()
        await _leave(node, loop, hurried)
    if port is not None:
        await port.stop()
    await node.stop()
    return 0


async def _load(node: Node, files: tuple[Path, ...]) -> bool:
    """Put the records of files into the node; False when that cannot be."""
    for path in files:
        try:
            contents.load(node, read_records(path), node.clock.epoch_s())
        except (OSError, ValueError, AerospikeError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            print(f"asd: cannot load {path}: {said}", file=sys.stderr)
            return False
    if files:
        await contents.indexes_built(node)
    return True


async def _control(port: ControlPort | None) -> bool:
    """Let the node be controlled, if it is to be; False when that cannot be."""
    if port is None:
        return True
    try:
        await port.start()
    except OSError as error:
        print(f"asd: cannot be controlled at {port.name}: {error.strerror}", file=sys.stderr)
        return False
    print(f"asd control {port.name}", flush=True)
    return True


def _hear(parent: Parent, end: Iterable[asyncio.Event]) -> None:
    """The standard input can be read: something is asked; or it is closed, and then so are those
    of the nodes beside this one, which has nobody to hand anything over to."""
    data = os.read(sys.stdin.fileno(), 65536)
    if data:
        parent.feed(data)
    else:
        asyncio.get_running_loop().remove_reader(sys.stdin)
        for event in end:
            event.set()


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


async def _leave(node: Node, loop: asyncio.AbstractEventLoop, hurried: asyncio.Event) -> None:
    """Leave the cluster, unless `hurried`; a second signal ends that."""
    if hurried.is_set():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, hurried.set)
    leaves = asyncio.create_task(node.leave())
    hurries = asyncio.create_task(hurried.wait())
    await asyncio.wait({leaves, hurries}, return_when=asyncio.FIRST_COMPLETED)
    for task in (leaves, hurries):
        task.cancel()


async def _served(node: Node, stopping: asyncio.Event) -> bool:
    """Wait until the node serves; False when it is told to stop before."""
    serves = asyncio.create_task(node.served())
    stops = asyncio.create_task(stopping.wait())
    await asyncio.wait({serves, stops}, return_when=asyncio.FIRST_COMPLETED)
    for task in (serves, stops):
        task.cancel()
    return not stopping.is_set()
