"""The shell's commands and their arguments: one grammar for the prompt and the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Final, NoReturn

from aerospike_client.policies import AuthMode, ClientPolicy, TlsPolicy

COMMANDS: Final = (
    "get",
    "put",
    "remove",
    "operate",
    "scan",
    "query",
    "namespaces",
    "sets",
    "indexes",
    "functions",
    "nodes",
    "info",
    "explain",
    "backup",
    "restore",
    "help",
    "exit",
)


class UsageError(Exception):
    """A line that is no command; the text says what would be."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise UsageError((message or "").strip())


def command_parser() -> argparse.ArgumentParser:
    """The grammar of a command. Its errors are UsageError."""
    parser = _Parser(prog="", add_help=False, usage="COMMAND [ARGUMENT ...]")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, add_help=False, prog=name)

    _record_commands(command("get", "read a record"), "bins", "*", "only these bins")
    put = command("put", "write bins; BIN=null removes one")
    _record_commands(put, "assignments", "+", "BIN=VALUE")
    put.add_argument("--ttl", type=int, default=0, help="seconds; -1 never, -2 as it is")
    put.add_argument("--send-key", action="store_true", help="store the key with the record")
    _record_commands(command("remove", "remove a record"))
    _record_commands(
        command("operate", "several operations in one"),
        "operations",
        "+",
        'such as \'add("n", 1)\' or \'lists.append("tags", "x")\'',
    )
    _query_commands(command("scan", "read all records"), False)
    _query_commands(command("query", "read the records that an index finds"), True)
    command("namespaces", "list namespaces")
    for name in ("sets", "indexes"):
        listed = command(name, f"list {name}")
        listed.add_argument("namespace", nargs="?", help="of this namespace")
    command("functions", "list files of functions (UDFs)")
    command("nodes", "list the cluster's nodes")
    info = command("info", "ask a node, or all, an info command")
    info.add_argument("text", metavar="COMMAND", help="such as 'statistics'")
    info.add_argument("--all", action="store_true", help="ask every node")
    explain = command("explain", "say what an expression's bytes mean")
    explain.add_argument("data", help="in base64 or hexadecimal")
    _transfer_commands(command("backup", "write a backup file (asbackup's format)"))
    restore = command("restore", "read a backup file into the cluster")
    restore.add_argument("--input", required=True, metavar="FILE", help="- is standard input")
    restore.add_argument("--namespace", default="", help="another one than the file's")
    restore.add_argument(
        "--existing",
        choices=("older", "any", "none"),
        default="older",
        help="which records that are there are replaced (older)",
    )
    command("help", "list the commands, or tell about one").add_argument("about", nargs="?")
    command("exit", "leave the shell")
    return parser


def _record_commands(
    parser: argparse.ArgumentParser, rest: str = "", count: str = "*", text: str = ""
) -> None:
    parser.add_argument("namespace")
    parser.add_argument("set", help="- is none")
    parser.add_argument("key", help="a number, text, or Python's bytes")
    if rest:
        parser.add_argument(rest, nargs=count, help=text)


def _query_commands(parser: argparse.ArgumentParser, by_index: bool) -> None:
    parser.add_argument("namespace")
    if by_index:
        parser.add_argument("set", help="- is none")
        parser.add_argument("bin")
        parser.add_argument("value", help="equal to it, or from it")
        parser.add_argument("end", nargs="?", help="and up to this one")
    else:
        parser.add_argument("set", nargs="?", default="-", help="only of this set")
    parser.add_argument("--where", metavar="EXPRESSION", help="such as 'Bin(\"age\") >= 21'")
    parser.add_argument("--bins", metavar="A,B", help="only these bins")
    parser.add_argument("--limit", type=int, help="at most so many records")


def _transfer_commands(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--output", required=True, metavar="FILE", help="- is standard output")
    parser.add_argument("--set", default="", help="only this set")
    parser.add_argument("--where", metavar="EXPRESSION", help="only records of which it is true")
    parser.add_argument("--compact", action="store_true", help="bytes as they are, not in base64")
    parser.add_argument("--records-per-second", type=int, default=0, metavar="N")


def line_parser() -> argparse.ArgumentParser:
    """The grammar of `python -m aerospike_client`."""
    parser = argparse.ArgumentParser(
        prog="python -m aerospike_client",
        description="A shell for Aerospike-compatible clusters; with a COMMAND, that one alone.",
        epilog=f"Commands: {', '.join(COMMANDS[:-2])}. 'help COMMAND' tells about one.",
    )
    parser.add_argument(
        "seeds",
        metavar="HOST:PORT",
        help="one node or several, joined by commas; HOST:NAME:PORT says what the certificate is"
        " for",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one value a line")
    parser.add_argument("--user", help="who to log in as")
    parser.add_argument("--password", help="asked for when missing")
    parser.add_argument(
        "--auth",
        choices=[mode.name for mode in AuthMode],
        default=AuthMode.INTERNAL.name,
        help="who knows the user: the servers (INTERNAL, the default), a directory (EXTERNAL), or"
        " whoever has issued the certificate (PKI)",
    )
    _tls_options(parser.add_argument_group("TLS", "each of these means TLS; files are PEM"))
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND ...")
    return parser


def _tls_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--tls-enable", action="store_true", help="believe the system's authorities")
    group.add_argument("--tls-cafile", metavar="FILE", help="certificates of those to believe")
    group.add_argument("--tls-capath", metavar="DIR", help="a folder of such, by OpenSSL's hashes")
    group.add_argument("--tls-name", metavar="NAME", help="what the nodes' certificates are for")
    group.add_argument("--tls-certfile", metavar="FILE", help="a certificate to show")
    group.add_argument("--tls-keyfile", metavar="FILE", help="its key")
    group.add_argument(
        "--tls-keyfile-password",
        metavar="WHERE",
        help="the key's password: env:NAME, file:PATH, or itself, which others then can see",
    )


def client_policy(given: argparse.Namespace, password: str | None, key: str | None) -> ClientPolicy:
    """What the options of `line_parser` say of the client. `password` and `key`: the passwords of
    the user and of the key. Raises InvalidParameter."""
    files = (given.tls_cafile, given.tls_capath, given.tls_certfile, given.tls_keyfile)
    tls = None
    if given.tls_enable or given.tls_name or any(files):
        ca_file, ca_path, cert_file, key_file = files
        tls = TlsPolicy(
            ca_file=ca_file,
            ca_path=ca_path,
            cert_file=cert_file,
            key_file=key_file,
            key_password=key,
            name=given.tls_name or "",
        )
    return ClientPolicy(user=given.user, password=password, auth_mode=AuthMode[given.auth], tls=tls)


def completions(words: list[str], namespaces: Iterable[str], sets: Iterable[str]) -> list[str]:
    """What may stand in place of the last of `words`, which has been begun.

    >>> completions(["na"], [], []), completions(["scan", "t"], ["test", "bar"], [])
    (['namespaces'], ['test'])
    """
    *before, begun = words
    if not before:
        choices: Iterable[str] = COMMANDS
    elif before[0] == "help":
        choices = COMMANDS if len(before) == 1 else ()
    elif before[-1] == "--namespace" or (len(before) == 1 and before[0] in _OF_NAMESPACE):
        choices = namespaces
    elif before[-1] == "--set" or (len(before) == 2 and before[0] in _OF_SET):
        choices = sets
    else:
        choices = _OPTIONS.get(before[0], ()) if begun.startswith("-") else ()
    return [choice for choice in choices if choice.startswith(begun)]


_OF_SET: Final = frozenset({"get", "put", "remove", "operate", "scan", "query"})
_OF_NAMESPACE: Final = _OF_SET | {"sets", "indexes"}
_OPTIONS: Final = {
    "put": ("--ttl", "--send-key"),
    "scan": ("--where", "--bins", "--limit"),
    "query": ("--where", "--bins", "--limit"),
    "info": ("--all",),
    "backup": (
        "--namespace", "--output", "--set", "--where", "--compact", "--records-per-second",
    ),
    "restore": ("--input", "--namespace", "--existing"),
}  # fmt: skip
