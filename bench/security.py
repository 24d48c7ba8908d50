"""What access control and TLS cost: gets and puts of a user who has logged in, beside a server
without; the same by TLS, beside its port in the clear; handshakes, with sessions resumed and not.

    python bench/security.py [--rounds N] [--seconds S] [--quick]

The servers run all the time; every round loads each of them once in turn. Shown are medians of the
rounds; a ratio is the median of the ratios within each round, or, of the processor time that the
servers take for an operation, that of all rounds together: it is the steadier figure where others
use the machine. Connections log in before the clock starts.
"""

from __future__ import annotations

import argparse
import socket
import ssl
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

from cdt import processor_us
from harness import Server, asd_command, load, publish, running, table

from aerospike_common.as_password import hash_password
from aerospike_common.wire.admin import AdminCommand, AdminField, encode_admin, encode_roles
from aerospike_common.wire.frame import frame
from asd.fixtures.authority import NAME, Authority
from asd.process.node_processes import free_ports

KEYS = 1000
SHAPES = ((8, 1), (32, 1), (4, 16))
MODES = ("get", "put")
BY_TLS = ((8, 1), (32, 1), (32, 16))
USER = b"ann"
CALLERS = 4
"""Threads that make handshakes."""
STATUS = frame(1, b"status\n")


class Port(NamedTuple):
    """A port under load: whose it is, how to begin, and whether it speaks TLS."""

    server: Server
    number: int
    greeting: Path | None = None
    tls: bool = False


def login(user: bytes, password: str) -> bytes:
    """The frame by which a user logs in."""
    fields = {AdminField.USER: user, AdminField.CREDENTIAL: hash_password(password).encode()}
    return frame(2, encode_admin(AdminCommand.LOGIN, fields))


def create_user(port: int) -> None:
    """Make the user who reads and writes. Raises SystemExit when the server does not want to."""
    fields = {
        AdminField.USER: USER,
        AdminField.PASSWORD: hash_password("secret").encode(),
        AdminField.ROLES: encode_roles([b"read-write"]),
    }
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        for request in (
            login(b"admin", "admin"),
            frame(2, encode_admin(AdminCommand.CREATE_USER, fields)),
        ):
            connection.sendall(request)
            if connection.recv(4096)[9]:
                raise SystemExit("the server makes no user")


def rows(
    ports: dict[str, Port], shapes: tuple[tuple[int, int], ...], rounds: int, seconds: float
) -> list[list[str]]:
    """The lines of a table of two ports, the second beside the first."""
    one, other = ports
    found = []
    for mode in MODES:
        for connections, in_flight in shapes:
            rates: dict[str, list[float]] = {name: [] for name in ports}
            spent_us: dict[str, float] = dict.fromkeys(ports, 0)
            operations = dict.fromkeys(ports, 0)
            for _ in range(rounds):
                for name, port in ports.items():
                    shape = (port.number, connections, in_flight, seconds, mode, KEYS)
                    pid = port.server.process.pid
                    before_us = processor_us(pid)
                    result = load(*shape, port.greeting, tls=port.tls)
                    spent_us[name] += processor_us(pid) - before_us
                    operations[name] += result.operations
                    rates[name].append(result.per_second)
            without, with_it = rates[one], rates[other]
            ratio = median(b / a for a, b in zip(without, with_it, strict=True))
            cost = {name: spent_us[name] / operations[name] for name in ports}
            found.append(
                [
                    f"{mode}, {connections} connections x {in_flight}",
                    f"{median(without):,.0f}",
                    f"{median(with_it):,.0f}",
                    f"{ratio:.3f}",
                    *(f"{cost[name]:.2f}" for name in ports),
                    f"{cost[one] / cost[other]:.3f}",
                ]
            )
    return found


def handshakes(port: Port, context: ssl.SSLContext, seconds: float, resumed: bool) -> list[str]:
    """A line of the table of handshakes: each makes a connection, asks for the status, closes."""

    def call(session: ssl.SSLSession | None) -> ssl.SSLSession | None:
        with (
            socket.create_connection(("127.0.0.1", port.number), 10) as plain,
            context.wrap_socket(plain, server_hostname=NAME, session=session) as connection,
        ):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(STATUS)
            connection.recv(64)
            if session is not None and not connection.session_reused:
                raise SystemExit("the server resumes no session")
            return connection.session

    def call_on(end_s: float) -> int:
        session = call(None) if resumed else None
        made = 0
        while time.monotonic() < end_s:
            call(session)
            made += 1
        return made

    pid = port.server.process.pid
    before_us, begun_s = processor_us(pid), time.monotonic()
    with ThreadPoolExecutor(CALLERS) as pool:
        made = sum(pool.map(call_on, [begun_s + seconds] * CALLERS))
    spent_us, took_s = processor_us(pid) - before_us, time.monotonic() - begun_s
    version = "1.3" if context.maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED else "1.2"
    kind = "resumed" if resumed else "whole"
    return [f"TLS {version}, {kind}", f"{made / took_s:,.0f}", f"{spent_us / made:,.0f}"]


def handshake_rows(port: Port, authority: Authority, seconds: float) -> list[list[str]]:
    """The table of handshakes."""
    found = []
    for version in (ssl.TLSVersion.MAXIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_2):
        for resumed in (False, True):
            context = authority.client()
            context.maximum_version = version
            found.append(handshakes(port, context, seconds, resumed))
    return found


def main() -> None:
    """Measure, print, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="times each server is loaded")
    parser.add_argument("--seconds", type=float, default=2, help="length of one load")
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    given = parser.parse_args()
    rounds, seconds = (1, 0.3) if given.quick else (given.rounds, given.seconds)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        greeting = folder / "login"
        greeting.write_bytes(login(USER, "secret"))
        authority = Authority(folder)
        (tls_port,) = free_ports(1)
        certified = [
            "--tls-port",
            str(tls_port),
            *authority.arguments("127.0.0.1", ask_clients=False),
        ]
        open_one = stack.enter_context(running(asd_command()))
        secure = stack.enter_context(running(asd_command("--security")))
        by_tls = stack.enter_context(running(asd_command(*certified)))
        create_user(secure.port)
        access = {
            "without": Port(open_one, open_one.port),
            "with": Port(secure, secure.port, greeting),
        }
        tls = {"plain": Port(by_tls, by_tls.port), "TLS": Port(by_tls, tls_port, tls=True)}
        for port in (*access.values(), tls["plain"]):
            load(port.number, 1, 64, 10, "fill", KEYS, port.greeting)
        lines = rows(access, SHAPES, rounds, seconds)
        tls_lines = rows(tls, BY_TLS, rounds, seconds)
        shaken = handshake_rows(tls["TLS"], authority, max(1.0, seconds) if rounds > 1 else seconds)
    body = f"{rounds} rounds of {seconds:g} s a load.\n\n"
    header = ["Load", "without, ops/s", "with, ops/s", "ratio"]
    body += table([*header, "without, us of processor", "with", "ratio"], lines)
    header = ["Load", "plain, ops/s", "TLS, ops/s", "ratio"]
    body += "\n\n" + table([*header, "plain, us of processor", "TLS", "ratio"], tls_lines)
    body += (
        f"\n\nHandshakes by {CALLERS} threads of one Python client, which has its own work to do; "
    )
    body += "each asks for the status and closes.\n\n"
    body += table(["Handshake", "a second", "us of the server's processor"], shaken)
    publish("security", "The cost of access control and TLS", body, write=not given.quick)


if __name__ == "__main__":
    main()
