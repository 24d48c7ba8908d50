"""The command line of `asd`: arguments to options, options to a configuration.

An adapter: it is the one place that reads the configuration file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from attrs import evolve, field, frozen

from asd.config import (
    ENGINES,
    Config,
    ConfigFileError,
    Edition,
    FabricConfig,
    HeartbeatConfig,
    HttpConfig,
    NamespaceConfig,
    NetworkConfig,
    NetworkServiceConfig,
    SecurityConfig,
    ServiceConfig,
    StorageConfig,
    read_config,
)
from asd.config.kinds import Endpoint
from asd.process.machine import processors
from asd.process.tls_options import TlsOptions, add_tls_options
from asd.process.version import ShowVersion

DEFAULT_ADDRESS: Final = "127.0.0.1"
DEFAULT_PORT: Final = 3000
DEFAULT_CLUSTER: Final = "citrusleaf"
DEFAULT_NAMESPACE: Final = "test"
DEFAULT_NSUP_PERIOD_S: Final = 120
CORES: Final = "cores"
MOST_NODES: Final = 128

_DESCRIPTION: Final = """\
Citrusleaf's server: an Aerospike-compatible database.

Without arguments it serves the namespace 'test' in memory on 127.0.0.1:3000. When it is ready it
prints one line, 'asd ready ADDRESS:PORT'; SIGTERM and SIGINT (Ctrl-C) stop it."""

_EPILOG: Final = """\
examples:
  asd                                         namespace 'test' on 127.0.0.1:3000
  asd --service-port 0                        on any free port; read it from the 'asd ready' line
  asd --namespace test --namespace bar        two namespaces in memory
  asd --namespace test:ssd:/var/lib/test.dat  one in a file; also kv, ssd_cold, and memory
  asd --nodes 3                               a cluster of three on ports 3000, 3001 and 3002
  asd --nodes cores                           a cluster that uses all cores of the machine
  asd --config-file aerospike.conf            as the file says
  asd --check-config aerospike.conf           only look whether the file is right
  asd --service-port 0 --control asd.sock     for tests: empty it, step its clock, have it fail

What the options say goes before the file. Namespaces made with
--namespace come behind those of the file; they keep one copy of each record and remove expired
records every two minutes."""


_Listener = TypeVar("_Listener", NetworkServiceConfig, HttpConfig)


class CommandLineError(Exception):
    """The arguments do not go together, or the file they name cannot be used."""


@frozen
class Options:
    """What the command line asked for; None and empty mean: not said."""

    config_file: Path | None = None
    check_config: Path | None = None
    compile: bool = False
    service_address: str | None = None
    service_port: int | None = None
    http_address: str | None = None
    http_port: int | None = None
    control: str | None = None
    """Where the server is controlled: a path or a port."""
    load: tuple[Path, ...] = ()
    """Files of records to begin with."""
    log_format: str = "text"
    work_directory: Path | None = None
    namespaces: tuple[NamespaceConfig, ...] = ()
    security: bool = False
    cluster_name: str | None = None
    node_id: str | None = None
    seeds: tuple[Endpoint, ...] = ()
    heartbeat_port: int | None = None
    heartbeat_interval: int | None = None
    heartbeat_timeout: int | None = None
    fabric_port: int | None = None
    replication_factor: int | None = None
    strong_consistency: bool | None = None
    until_eof: bool = False
    nodes: int = 0
    """Run so many nodes under a supervisor; 0: be one."""
    cores: tuple[int, ...] = ()
    """The processors to keep these on, one each; none: they are not kept anywhere."""
    pin: int | None = None
    """The processor to keep this node on."""
    rack_id: int | None = None
    edition: Edition = Edition.ENTERPRISE
    tls: TlsOptions = field(factory=TlsOptions)


def parse_arguments(argv: Sequence[str]) -> Options:
    """The options in `argv` (without the program's name).

    Leaves by SystemExit: 0 after --help and --version, 2 after an error on standard error.
    """
    given = _parser().parse_args(argv)
    return Options(
        config_file=given.config_file,
        check_config=given.check_config,
        compile=given.compile,
        service_address=given.service_address,
        service_port=given.service_port,
        http_address=given.http_address,
        http_port=given.http_port,
        control=given.control,
        load=tuple(given.load),
        log_format=given.log_format,
        work_directory=given.work_directory,
        namespaces=tuple(given.namespace),
        security=given.security,
        cluster_name=given.cluster_name,
        node_id=given.node_id,
        seeds=tuple(given.seed),
        heartbeat_port=given.heartbeat_port,
        heartbeat_interval=given.heartbeat_interval,
        heartbeat_timeout=given.heartbeat_timeout,
        fabric_port=given.fabric_port,
        replication_factor=given.replication_factor,
        strong_consistency=given.strong_consistency or None,
        until_eof=given.until_eof,
        nodes=node_count(given.nodes) if given.nodes else 0,
        cores=processors() if given.nodes == CORES else (),
        pin=given.pin,
        rack_id=given.rack_id,
        edition=Edition(given.edition),
        tls=TlsOptions.of(given),
    )


def build_config(options: Options) -> Config:
    """The configuration the options ask for, the file read. Raises CommandLineError."""
    config = Config(edition=options.edition)
    if options.config_file is not None:
        config = _read(options.config_file, options.edition)
    else:
        local = NetworkServiceConfig(address=(DEFAULT_ADDRESS,))
        config = evolve(config, network=NetworkConfig(service=local))
    service = config.service
    if options.work_directory is not None:
        service = evolve(service, work_directory=str(options.work_directory))
    security = config.security
    if options.security and security is None:
        if options.edition is Edition.COMMUNITY:
            raise CommandLineError("--security: the community edition has no access control")
        security = SecurityConfig()
    if options.cluster_name is not None:
        service = evolve(service, cluster_name=options.cluster_name)
    if options.node_id is not None:
        service = _with_node_id(service, options.node_id)
    if options.pin is not None:
        service = evolve(service, auto_pin="cpu")
    refuse_racks(options)
    return evolve(
        config,
        service=service,
        security=security,
        network=_network(config.network, options),
        namespaces=MappingProxyType(_namespaces(config, options)),
    )


def refuse_racks(options: Options) -> None:
    """Raises CommandLineError where a rack is given to an edition without them."""
    if options.rack_id is not None and options.edition is Edition.COMMUNITY:
        raise CommandLineError("--rack-id: the community edition knows no racks")


def _with_node_id(service: ServiceConfig, node_id: str) -> ServiceConfig:
    try:
        return evolve(service, node_id=node_id.upper())
    except ValueError as error:
        raise CommandLineError(str(error)) from None


def check_config(path: Path, edition: Edition) -> int:
    """Say on standard output whether the file is right; the exit status, 0 or 1."""
    try:
        config = _read(path, edition)
    except CommandLineError as error:
        print(error, file=sys.stderr)
        return 1
    for notice in config.notices:
        print(notice)
    names = ", ".join(
        f"{name} ({namespace.storage_engine.engine})"
        for name, namespace in config.namespaces.items()
    )
    service = config.network.service
    addresses = ", ".join(service.address)
    port = f"port {service.port}" if service.clear else f"port {service.tls_port} by TLS alone"
    print(f"OK: namespaces {names}; clients on {addresses}, {port}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asd",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    files = parser.add_mutually_exclusive_group()
    files.add_argument(
        "--config-file",
        metavar="FILE",
        type=Path,
        help="read the configuration (aerospike.conf)",
    )
    files.add_argument(
        "--check-config",
        metavar="FILE",
        type=Path,
        help="say whether FILE is a right configuration, and stop: status 0 if it is, 1 if not",
    )
    files.add_argument(
        "--compile",
        action="store_true",
        help="compile the request path with Cython and a C compiler, into the user's cache, and "
        "stop; starts after that are faster servers (ASD_COMPILED=0 in the environment: not)",
    )
    _add_ports(parser)
    _add_cluster(parser)
    add_tls_options(parser)
    _add_testing(parser)
    parser.add_argument(
        "--namespace",
        metavar="NAME[:ENGINE[:PATH]]",
        type=_namespace,
        action="append",
        default=[],
        help="serve the namespace NAME; may be repeated. Engines: "
        f"{', '.join(ENGINES)} (default memory)",
    )
    parser.add_argument(
        "--security",
        action="store_true",
        help="nobody gets in without a password; the first user is admin, password admin",
    )
    parser.add_argument(
        "--edition",
        choices=[edition.value for edition in Edition],
        default=Edition.ENTERPRISE.value,
        help="which edition to answer as (default enterprise)",
    )
    parser.add_argument(
        "--log-format",
        choices=["text", "json"],
        default="text",
        help="lines for people, or one JSON object a line (default text)",
    )
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="say the version, and stop")
    return parser


def _add_ports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--service-address",
        metavar="ADDRESS",
        help=f"where to listen (default {DEFAULT_ADDRESS})",
    )
    parser.add_argument(
        "--service-port",
        metavar="N",
        type=_port,
        help="port to listen on; 0 = any free one (default 3000)",
    )
    parser.add_argument(
        "--work-directory",
        metavar="DIR",
        type=Path,
        help="keep index definitions, functions and truncations here, so that they outlive a "
        "restart (default: they do not, unless the file names a work-directory)",
    )
    http_address = "where to listen for HTTP (default 127.0.0.1)"
    parser.add_argument("--http-address", metavar="ADDRESS", help=http_address)
    parser.add_argument(
        "--http-port",
        metavar="N",
        type=_port,
        help="port of a page that shows the node, and of /metrics for Prometheus (default none)",
    )


def _add_testing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("testing", "for the tests of applications")
    group.add_argument(
        "--load",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="begin with the records of FILE (.json, .yaml, or a backup, .asb), in place of those "
        "that have their keys; may be repeated",
    )
    group.add_argument(
        "--control",
        metavar="PATH|PORT",
        help="let tests control the server by HTTP on a socket in the file system, which is its "
        "owner's alone, or on a port of 127.0.0.1, which all users of the machine reach; 0 = any "
        "free one; a line 'asd control PATH' or 'asd control ADDRESS:PORT' says where (default "
        "none; docs/testing-control.md)",
    )


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("cluster", "a node with a heartbeat port looks for others")
    group.add_argument(
        "--nodes",
        metavar="N",
        type=_nodes,
        help="run a cluster of N nodes on this machine, each a process ('cores': one for each "
        "core, and kept on it); two copies of each record unless --replication-factor says "
        "otherwise. The ports given are the first node's, the others have the next ones. With a "
        "--service-address that other machines reach, nodes of theirs can be --seed's: each "
        "machine is a rack, so no two copies lie on one",
    )
    group.add_argument(
        "--pin",
        metavar="CPU",
        type=int,
        help="keep this node on one processor, by its number (auto-pin cpu)",
    )
    group.add_argument(
        "--rack-id",
        metavar="N",
        type=int,
        help="rack of the node, in all namespaces: copies are spread over racks (default 0, or as "
        "the file says; with --nodes made from the address of the machine)",
    )
    ends = "end when the standard input is closed"
    group.add_argument("--until-eof", action="store_true", help=ends)
    group.add_argument("--cluster-name", metavar="NAME", help="nodes of another name are ignored")
    group.add_argument("--node-id", metavar="HEX", help="identity of the node (default made up)")
    group.add_argument(
        "--seed",
        metavar="HOST:PORT",
        type=_endpoint,
        action="append",
        default=[],
        help="heartbeat address of a node to begin with; may be repeated",
    )
    group.add_argument("--heartbeat-port", metavar="N", type=_port, help="port for heartbeats")
    between = "time between them (default 150)"
    group.add_argument("--heartbeat-interval", metavar="MS", type=int, help=between)
    missed = "missed ones that end it (default 10)"
    group.add_argument("--heartbeat-timeout", metavar="N", type=int, help=missed)
    group.add_argument("--fabric-port", metavar="N", type=_port, help="port for other nodes")
    group.add_argument(
        "--replication-factor",
        metavar="N",
        type=int,
        help="copies of each record, in all namespaces (default 1, or as the file says)",
    )
    strong = "never lose or fork a record, in all namespaces"
    group.add_argument("--strong-consistency", action="store_true", help=strong)


def _nodes(text: str) -> str:
    try:
        node_count(text)
        return text
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def node_count(text: str) -> int:
    """How many nodes a `--nodes` asks for. ValueError when it is no number of them."""
    count = len(processors()) if text == CORES else int(text)
    if not 1 <= count <= MOST_NODES:
        raise ValueError(f"'{text}' nodes: expected 1 to {MOST_NODES}, or '{CORES}'")
    return count


def _endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    if not host:
        raise argparse.ArgumentTypeError(f"'{text}' is no HOST:PORT")
    return Endpoint(host, _port(port))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is no port: expected 0 to 65535")
    return int(text)


def _namespace(text: str) -> NamespaceConfig:
    name, _, rest = text.partition(":")
    engine, _, path = rest.partition(":")
    try:
        return NamespaceConfig(
            name,
            nsup_period=DEFAULT_NSUP_PERIOD_S,
            replication_factor=1,
            storage_engine=StorageConfig(engine or "memory", file=(path,) if path else ()),
        )
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}': {error}") from None


def _read(path: Path, edition: Edition) -> Config:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise CommandLineError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CommandLineError(f"{path}: byte {error.start} is not UTF-8 text") from None
    try:
        return read_config(text, str(path), edition)
    except ConfigFileError as error:
        raise CommandLineError(str(error)) from None


def _network(network: NetworkConfig, options: Options) -> NetworkConfig:
    try:
        clear = evolve(
            network,
            service=_listener(network.service, options.service_address, options.service_port),
            http=_listener(network.http, options.http_address, options.http_port),
            heartbeat=_heartbeat(network.heartbeat, options),
            fabric=_fabric(network.fabric, options),
        )
        return options.tls.applied(clear)
    except ValueError as error:
        raise CommandLineError(str(error)) from None


def _heartbeat(section: HeartbeatConfig, options: Options) -> HeartbeatConfig:
    """Heartbeats of nodes that are given on the command line go where clients go."""
    port, address = section.port, section.address
    if options.heartbeat_port is not None:
        port, address = options.heartbeat_port, (options.service_address or DEFAULT_ADDRESS,)
    if options.seeds and not port:
        raise CommandLineError("--seed is for a node with a --heartbeat-port")
    return evolve(
        section,
        port=port,
        address=address,
        mesh_seed_address_port=(*section.mesh_seed_address_port, *options.seeds),
        interval=options.heartbeat_interval or section.interval,
        timeout=options.heartbeat_timeout or section.timeout,
    )


def _fabric(section: FabricConfig, options: Options) -> FabricConfig:
    if options.fabric_port is None:
        return section
    address = options.service_address or DEFAULT_ADDRESS
    return evolve(section, port=options.fabric_port, address=(address,))


def _listener(section: _Listener, address: str | None, port: int | None) -> _Listener:
    return evolve(
        section,
        address=section.address if address is None else (address,),
        port=section.port if port is None else port,
    )


def _namespaces(config: Config, options: Options) -> dict[str, NamespaceConfig]:
    namespaces = dict(config.namespaces)
    for namespace in options.namespaces:
        if namespace.name in namespaces:
            raise CommandLineError(f"namespace '{namespace.name}' is given twice")
        namespaces[namespace.name] = namespace
    if not namespaces:
        namespaces[DEFAULT_NAMESPACE] = _namespace(DEFAULT_NAMESPACE)
    names = ("replication_factor", "rack_id", "strong_consistency")
    given: dict[str, Any] = {name: getattr(options, name) for name in names}
    changes = {name: value for name, value in given.items() if value is not None}
    try:
        return {name: evolve(space, **changes) for name, space in namespaces.items()}
    except ValueError as error:
        raise CommandLineError(str(error)) from None
