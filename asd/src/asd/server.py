"""A server for tests, notebooks and anything that wants one for a while."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from asd.config import (
    Config,
    Edition,
    NamespaceConfig,
    NetworkConfig,
    NetworkServiceConfig,
    SecurityConfig,
)
from asd.control.clock import RemoteClock
from asd.control.injectable import Injectable
from asd.control.kept_state import KeptState
from asd.control.server_process import ServerProcess
from asd.fixtures.files import read, write
from asd.fixtures.records import Records
from citrusleaf.cf_clock import VirtualClock

if TYPE_CHECKING:
    from asd.fixtures.authority import Authority
    from asd.thread_host import ThreadHost
    from storage.device import Disk

NSUP_PERIOD_S = 120


class Server(Injectable):
    """An `asd` in a process of its own, as a context manager.

    `namespaces`  their names; they are in memory and keep one copy of each record
    `address`     where to listen, without the port
    `port`        0 = any free one; see the property `address`
    `edition`     `enterprise`, or `community` to be refused what the community server refuses
    `security`    True: nobody gets in without a password. The first user is admin, password admin;
                  `create_user` makes others
    `tls`         True, or an `Authority`: clients may speak TLS at `tls_address`; certificates are
                  made on the fly (`authority`). Needs the extra `certificates`
    `client_certificates`  True: there they must show a certificate (`authority.issue(NAME)`)
    `load`        what it begins with each time it is started: as the method `load` takes it
    `config`      the rest of a configuration, too (see `asd.config.read_config`); the other
                  arguments are then not looked at, but for `load` and those of a thread
    `in_thread`   True: on a thread of this process instead. A client in this process that keeps the
                  interpreter's lock while it waits (see `docs/testing-with-asd.md`) waits in vain
                  then: the server cannot run meanwhile

    For a server on a thread alone:

    `clock`       what the server takes for the time: one that is set already, or that several
                  servers share
    `disk`        where the files of a configuration are: the system's by default, or one that fails
                  when you tell it to (`storage.testing.FaultyDisk`)

    Any number of servers may run; they share nothing. A server that has been stopped may be started
    again: it is empty then, and unless a port was given it has another one. When this process ends,
    however it ends, its servers do.

    >>> with Server(namespaces=["test"]) as server:
    ...     host, port = server.address
    >>> host
    '127.0.0.1'
    """

    def __init__(
        self,
        *,
        namespaces: Iterable[str] = ("test",),
        config: Config | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
        edition: str = "enterprise",
        security: bool = False,
        tls: bool | Authority = False,
        client_certificates: bool = False,
        load: str | Path | Iterable[Mapping[str, Any]] | None = None,
        in_thread: bool = False,
        clock: VirtualClock | None = None,
        disk: Disk | None = None,
    ) -> None:
        if isinstance(namespaces, str):
            raise TypeError(f"namespaces is a list of names: [{namespaces!r}]")
        if not in_thread and (clock is not None or disk is not None):
            name = "disk" if clock is None else "clock"
            raise TypeError(f"a {name} of your own is for Server(in_thread=True, {name}=...)")
        self._authority = None
        network = NetworkConfig(service=NetworkServiceConfig(address=(address,), port=port))
        if tls or client_certificates:
            from asd.fixtures.authority import authority_of  # loads what few tests need

            self._authority = authority_of(tls, client_certificates=client_certificates)
            assert self._authority is not None
            network = self._authority.network(network.service, ask_clients=client_certificates)
        self._config = config or Config(
            network=network,
            namespaces={name: _in_memory(name) for name in namespaces},
            edition=Edition(edition),
            security=SecurityConfig() if security else None,
        )
        self._load = load if load is None or isinstance(load, str | Path) else list(load)
        self._in_thread = in_thread
        self._clock = clock
        self._disk = disk
        self._host: ServerProcess | ThreadHost | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to give to a client. RuntimeError when the server is not running."""
        return self._running().address

    @property
    def tls_address(self) -> tuple[str, int, str]:
        """The same for clients that speak TLS: host, port, and the name that the certificate is
        for. RuntimeError when the server is not running, or speaks no TLS."""
        name = self.authority.name
        return self.address[0], self._config.network.service.tls_port, name

    @property
    def authority(self) -> Authority:
        """Who vouches for the server, and makes certificates for clients: `ca_file`,
        `issue(NAME)`. RuntimeError without TLS."""
        if self._authority is None:
            raise RuntimeError("the server speaks no TLS: Server(tls=True)")
        return self._authority

    @property
    def clock(self) -> RemoteClock | VirtualClock:
        """What the server takes for the time: it runs like the system's until it is frozen or
        advanced. RuntimeError when the server is not running."""
        return self._running().clock

    def start(self) -> Self:
        """Start and wait until it serves: some tenths of a second, on a thread some milliseconds.

        Raises OSError when the port cannot be had, RuntimeError when the server is running or its
        process ends, and what `load` raises for what it is to begin with.
        """
        if self._host is not None:
            raise RuntimeError("the server is running")
        if self._in_thread:
            from asd.thread_host import ThreadHost  # loads all of the server

            clock = self._clock or VirtualClock.running()
            host: ServerProcess | ThreadHost = ThreadHost(self._config, clock, self._disk)
        else:
            host = ServerProcess(self._config)
        host.start()
        self._host = host
        if self._load is not None:
            try:
                self.load(self._load)
            except BaseException:
                self.stop()
                raise
        return self

    def stop(self) -> None:
        """Stop and wait until it has. Does nothing when it is not running."""
        host, self._host = self._host, None
        if host is not None:
            host.stop()

    def reset(self) -> None:
        """Empty all namespaces, in milliseconds; clients stay connected.

        Records, sets, secondary indexes, counters and injected faults go. Registered functions, and
        what clients have configured with `set-config`, stay.
        """
        self.control("reset")

    def load(self, records: str | Path | Iterable[Mapping[str, Any]]) -> int:
        """Put records in, whatever was there; how many (see `docs/testing-records.md`).

        `records`  the path of a file, whose name ends with .json, .yaml, .yml or .asb, or the
                   records themselves, as such a file has them

        Indexes and functions of a file are made, too. Nothing is put in when one of the records is
        wrong: ValueError, which says which. OSError when the file cannot be read.
        """
        given = read(records) if isinstance(records, str | Path) else {"records": list(records)}
        return int(self.control("load", given)["records"])

    def dump(
        self,
        path: str | Path | None = None,
        *,
        namespace: str | None = None,
        set: str | None = None,
    ) -> list[dict[str, Any]]:
        """The records, of all namespaces and sets or of these, as a file would have them; with
        `path` such a file is written, with indexes and functions."""
        wanted = {"namespace": namespace, "set": set}
        found = self.control("dump", wanted)
        if path is not None:
            write(path, found)
        rows: list[dict[str, Any]] = found["records"]
        return rows

    def records(self, *, namespace: str | None = None, set: str | None = None) -> Records:
        """The records as they are now, to be compared with others."""
        return Records(self.dump(namespace=namespace, set=set))

    def snapshot(self) -> KeptState:
        """Keep the state of the server: `restore()` goes back to it, in milliseconds.

        Records with their generations and times, secondary indexes, functions; not the clock, the
        users, the configuration and the counters.
        """
        return KeptState(self.control, self.control("snapshot")["id"])

    def create_user(self, name: str, password: str, *roles: str) -> None:
        """Make a user who has these roles, instead of one of the same name. About 50 ms.

        Raises RuntimeError when the server has no access control, and
        `aerospike_common.wire.errors.OperationError` for a name or role that there cannot be.
        """
        if self._config.security is None:
            raise RuntimeError("the server has no access control: Server(security=True)")
        self.control("create-user", {"name": name, "password": password, "roles": list(roles)})

    def create_role(self, name: str, *privileges: str) -> None:
        """Make a role, for `create_user`, from privileges such as `read`, `write.NAMESPACE` and
        `read.NAMESPACE.SET`.

        Raises as `create_user` does; OperationError, too, where there is one of this name.
        """
        if self._config.security is None:
            raise RuntimeError("the server has no access control: Server(security=True)")
        self.control("create-role", {"name": name, "privileges": list(privileges)})

    def control(self, command: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """See `Injectable`."""
        return self._running().call(command, arguments or {})

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _running(self) -> ServerProcess | ThreadHost:
        if self._host is None:
            raise RuntimeError("the server is not running")
        return self._host


def _in_memory(name: str) -> NamespaceConfig:
    return NamespaceConfig(name, nsup_period=NSUP_PERIOD_S, replication_factor=1)
