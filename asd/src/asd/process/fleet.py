"""What `asd --nodes` asks for: how many nodes, where they listen, on which cores, in which rack.

Across machines each has a supervisor of its own, and these agree about nothing: whoever is started
gets the heartbeat address of a node elsewhere (`--seed`). Two things must differ between machines
all the same, and be the same on one: the rack, so that no two copies of a record lie on one host,
and the ids of the nodes. Both come from what differs between machines by necessity, the address at
which the others reach this one.

    machine number = 1 + the last 19 bits of the address       1 to 524288
    rack-id        = the machine number                        1 to 1000000 are allowed
    node id        = the machine number, then three digits     10.1.2.3 is 10204: 10204 0A1, ...

So machines of one network of up to 524288 addresses (an IPv4 /13) never share a number; who joins
machines of several such networks gives each its `--rack-id`, which is then the number. On the
loopback there are no other machines: no rack, and the ids are A1, A2, ... The community edition
knows no racks: there a record may have both copies on one host.

Rejected: a number made up at the first start, and kept. There is no place to keep it without a
work-directory, and a machine that came back as another rack would have every copy moved.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Final

from asd.config import Edition
from asd.config.network import WILDCARDS
from asd.process.cli import (
    DEFAULT_CLUSTER,
    DEFAULT_PORT,
    CommandLineError,
    Options,
    refuse_racks,
)
from asd.process.machine import RealMachine
from asd.process.node_processes import FIRST_ID, HOST, NodeProcesses, Ports
from asd.process.supervisor import Supervisor

NUMBER_BITS: Final = 19
ID_BITS: Final = 12
"""Of a node id, for the node on its machine."""


def machine_number(address: str) -> int:
    """The number of the machine that others reach at this address; 0 of the loopback. ValueError
    for what is no address in numbers."""
    found = ipaddress.ip_address(HOST if address == "localhost" else address)
    return 0 if found.is_loopback else 1 + int(found) % (1 << NUMBER_BITS)


def supervisor(options: Options, argv: Sequence[str]) -> Supervisor:
    """What `--nodes` asks for. Raises CommandLineError for options that are one node's."""
    _refuse_ones_own(options)
    refuse_racks(options)
    number, address = _number(options), options.service_address or HOST
    firsts = ("--service-port", "--heartbeat-port", "--fabric-port", "--http-port", "--tls-port")
    words = [*_without(argv, "--nodes", *firsts)]
    if options.cluster_name is None:
        words += ["--cluster-name", DEFAULT_CLUSTER]
    if options.replication_factor is None:
        words += ["--replication-factor", str(2 if number else min(2, options.nodes))]
    if number and options.rack_id is None and options.edition is Edition.ENTERPRISE:
        words += ["--rack-id", str(number)]
    processes = NodeProcesses(
        tuple(words),
        host=HOST if address in WILDCARDS else address,
        first_id=(number << ID_BITS) + FIRST_ID,
        tls=bool(options.tls.port),
    )
    for number, ports in enumerate(_ports(options)):
        own = ["--pin", str(options.cores[number])] if options.cores else []
        if options.http_port:
            own += ["--http-port", str(options.http_port + number)]
        processes.add(ports, own)
    return Supervisor(processes)


def _number(options: Options) -> int:
    if options.rack_id is not None:
        return options.rack_id
    address = options.service_address or HOST
    try:
        return machine_number(RealMachine().address() if address in WILDCARDS else address)
    except ValueError:
        raise CommandLineError(
            f"--service-address {address}: --nodes needs the address in numbers"
        ) from None


def _refuse_ones_own(options: Options) -> None:
    ones_own = {
        "--config-file": options.config_file,
        "--control": options.control,
        "--load": options.load or None,
        "--node-id": options.node_id,
        "--work-directory": options.work_directory,
        "--pin": options.pin,
    }
    given = [name for name, value in ones_own.items() if value is not None]
    shared = any(each.storage_engine.file for each in options.namespaces)
    if given or shared:
        name = given[0] if given else "--namespace with a file"
        raise CommandLineError(f"{name} is one node's, and --nodes {options.nodes} asks for more")


def _ports(options: Options) -> list[Ports]:
    """Those of each node: the ones given are the first node's, the others have the next ones.
    Raises CommandLineError where one is given twice."""
    service = DEFAULT_PORT if options.service_port is None else options.service_port
    firsts = (
        service,
        options.heartbeat_port or 0,
        options.fabric_port or 0,
        options.tls.port,
    )
    found = [
        Ports(*(first and first + number for first in firsts)) for number in range(options.nodes)
    ]
    given = [
        port
        for each in found
        for port in (each.service, each.heartbeat, each.fabric, each.tls)
        if port
    ]
    if options.http_port:
        given += range(options.http_port, options.http_port + options.nodes)
    twice = {port for port in given if given.count(port) > 1}
    if twice:
        raise CommandLineError(
            f"port {min(twice)} is given twice: each of the {options.nodes} nodes takes the next"
            " service, heartbeat, fabric, TLS and HTTP port"
        )
    return found


def _without(argv: Sequence[str], *names: str) -> Iterator[str]:
    """The words of a command line without these options and their values."""
    words = iter(argv)
    for word in words:
        if word in names:
            next(words, None)
        elif word.partition("=")[0] not in names:
            yield word
