"""A server in a process of its own, as the process that wants it sees it.

    this process                          the server's (`asd.hosted`)
    ------------                          ---------------------------
    starts it                             loads its modules
    standard input: an `Order`       ->   makes the node, listens
                                     <-   standard output: one line, `ready` or what is wrong
    commands by HTTP on a socket     ->   carries them out (`asd.control.port`)
    closes its standard input        ->   ends

The order is a pickle: it goes from a process to its own child, made of the same files. The pipe
stays open as long as the server is wanted. When this process dies, however it dies, the system
closes it, and the server ends. The socket is this user's alone, in the folder for temporary files.

An adapter: it starts and ends the process.
"""

from __future__ import annotations

import contextlib
import copyreg
import json
import os
import pickle
import selectors
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping
from io import BytesIO
from types import MappingProxyType
from typing import IO, Any, Final

from attrs import frozen

from asd.config import Config
from asd.control.caller import call
from asd.control.clock import RemoteClock
from asd.control.place import Place, new_place

START_S: Final = 60.0
"""A start takes half a second; on a machine that does much else, several."""
STOP_S: Final = 10.0


@frozen
class Order:
    """What a hosted server is told at its start."""

    config: Config
    control: Place

    def dumps(self) -> bytes:
        """The order as bytes, for a process of the same files."""
        data = BytesIO()
        pickler = pickle.Pickler(data)
        pickler.dispatch_table = copyreg.dispatch_table.copy()
        pickler.dispatch_table[MappingProxyType] = _reduce_proxy
        pickler.dump(self)
        return data.getvalue()

    @staticmethod
    def load(file: IO[bytes]) -> Order:
        """The order in a file of a process that may be believed. Raises EOFError for none."""
        order = pickle.load(file)
        assert isinstance(order, Order)
        return order


def _reduce_proxy(proxy: MappingProxyType[Any, Any]) -> tuple[Any, ...]:
    return _proxy, (dict(proxy),)


def _proxy(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """A read-only view, which has no name that a pickle could call it by."""
    return MappingProxyType(values)


class ServerProcess:
    """A server in a process of its own: started, asked, ended."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._place = new_place()
        self.clock = RemoteClock(lambda arguments: self.call("clock", arguments))
        self.address: tuple[str, int]
        self._process: subprocess.Popen[bytes]
        self._end: Callable[[], object]

    def start(self) -> None:
        """Start the process, and wait until it serves.

        Raises OSError when a port cannot be had, RuntimeError when the process ends or does not
        serve in time.
        """
        command = [sys.executable, "-P", "-m", "asd.hosted"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._end = weakref.finalize(self, _end, self._process, self._place, os.getpid())
        try:
            ready = self._begin()
        except BaseException:
            self.stop()
            raise
        self.address = ready["address"], ready["port"]

    def _begin(self) -> dict[str, Any]:
        """Hand the order over, and wait for the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(Order(self._config, self._place).dumps())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(self._how_it_ended()) from None
        line = self._first_line()
        if not line:
            raise RuntimeError(self._how_it_ended())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            if "errno" in answer:
                raise OSError(answer["errno"], answer["error"])
            raise RuntimeError(answer["error"])
        return answer

    def _first_line(self) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(START_S):
                raise RuntimeError(f"the server does not serve after {START_S:.0f} s")
        return self._process.stdout.readline()

    def _how_it_ended(self) -> str:
        try:
            status = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            return "the server does not answer"
        return f"the process of the server has ended with status {status}: see its standard error"

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def call(self, command: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Have a command carried out; its answer.

        Raises as `asd.control.Control.call`, RuntimeError when the process has ended, TimeoutError
        when it does not answer.
        """
        try:
            return call(self._place, command, arguments)
        except (ConnectionError, FileNotFoundError) as error:
            raise RuntimeError(self._how_it_ended()) from error

    def stop(self) -> None:
        """End the process, and wait until it has ended."""
        self._end()


def _end(process: subprocess.Popen[bytes], place: Place, owner: int) -> None:
    """End a server's process: it is asked to, and then made to. A fork of its owner leaves it."""
    assert process.stdin is not None
    assert process.stdout is not None
    if os.getpid() != owner:
        return
    with contextlib.suppress(BrokenPipeError):  # of an order that nobody has read
        process.stdin.close()
    process.stdout.close()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    place.remove()


__all__ = ["Order", "ServerProcess"]
