"""What access control costs: gets and puts of a user who has logged in, beside a server without.

    python bench/security.py [--rounds N] [--seconds S] [--quick]

Both servers run all the time; every round loads each of them once in turn. Shown are medians of the
rounds; a ratio is the median of the ratios within each round, or, of the processor time that the
servers take for an operation, that of all rounds together: it is the steadier figure where others
use the machine. Connections log in before the clock starts.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from cdt import processor_us
from harness import Server, asd_command, load, publish, running, table

from aerospike_common.as_password import hash_password
from aerospike_common.wire.admin import AdminCommand, AdminField, encode_admin, encode_roles
from aerospike_common.wire.frame import frame

KEYS = 1000
SHAPES = ((8, 1), (32, 1), (4, 16))
MODES = ("get", "put")
USER = b"ann"


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
    servers: dict[str, Server], greetings: dict[str, Path], rounds: int, seconds: float
) -> list[list[str]]:
    """The table's lines."""
    found = []
    for mode in MODES:
        for connections, in_flight in SHAPES:
            rates: dict[str, list[float]] = {name: [] for name in servers}
            spent_us: dict[str, float] = dict.fromkeys(servers, 0)
            operations = dict.fromkeys(servers, 0)
            for _ in range(rounds):
                for name, server in servers.items():
                    shape = (server.port, connections, in_flight, seconds, mode, KEYS)
                    before_us = processor_us(server.process.pid)
                    result = load(*shape, greetings.get(name))
                    spent_us[name] += processor_us(server.process.pid) - before_us
                    operations[name] += result.operations
                    rates[name].append(result.per_second)
            without, with_it = rates["without"], rates["with"]
            ratio = median(b / a for a, b in zip(without, with_it, strict=True))
            cost = {name: spent_us[name] / operations[name] for name in servers}
            found.append(
                [
                    f"{mode}, {connections} connections x {in_flight}",
                    f"{median(without):,.0f}",
                    f"{median(with_it):,.0f}",
                    f"{ratio:.3f}",
                    *(f"{cost[name]:.2f}" for name in servers),
                    f"{cost['without'] / cost['with']:.3f}",
                ]
            )
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
        servers = {
            "without": stack.enter_context(running(asd_command())),
            "with": stack.enter_context(running(asd_command("--security"))),
        }
        create_user(servers["with"].port)
        greetings = {"with": greeting}
        for name, server in servers.items():
            load(server.port, 1, 64, 10, "fill", KEYS, greetings.get(name))
        lines = rows(servers, greetings, rounds, seconds)
    body = f"{rounds} rounds of {seconds:g} s a load.\n\n"
    header = ["Load", "without, ops/s", "with, ops/s", "ratio"]
    body += table([*header, "without, us of processor", "with", "ratio"], lines)
    publish("security", "The cost of access control", body, write=not given.quick)


if __name__ == "__main__":
    main()
