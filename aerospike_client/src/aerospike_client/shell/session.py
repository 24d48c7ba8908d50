"""The commands of the shell, on a client."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from aerospike_client.backup import Existing, backup, restore
from aerospike_client.blocking.client import Client
from aerospike_client.errors import ClientError, InvalidParameter, RecordNotFound
from aerospike_client.expressions import explain
from aerospike_client.key import Key
from aerospike_client.policies import QueryPolicy, SendKey, WritePolicy
from aerospike_client.queries import Where, between, equals
from aerospike_client.scripts.info import info_failure
from aerospike_client.shell import cluster, files
from aerospike_client.shell.arguments import UsageError, command_parser, completions
from aerospike_client.shell.output import Output
from aerospike_client.shell.progress import Bar
from aerospike_client.shell.values import parse_expression, parse_operation, parse_value

_NO_SET: Final = "-"


class Session:
    """Runs commands and prints what they give."""

    def __init__(self, client: Client, output: Output) -> None:
        self._client = client
        self._output = output
        self._outputs = (output, Output(output.write, as_json=True))
        self._parser = command_parser()
        self._commands: Mapping[str, Callable[[argparse.Namespace], None]] = {
            "get": self._get,
            "put": self._put,
            "remove": self._remove,
            "operate": self._operate,
            "scan": self._scan,
            "query": self._query,
            "namespaces": self._namespaces,
            "sets": self._sets,
            "indexes": self._indexes,
            "functions": self._functions,
            "nodes": self._nodes,
            "info": self._info,
            "explain": self._explain,
            "backup": self._backup,
            "restore": self._restore,
            "help": self._help,
        }

    def line(self, text: str) -> bool:
        """Run a line; whether to go on. Raises UsageError, ClientError, OSError."""
        try:
            words = shlex.split(text, comments=True)
        except ValueError as error:
            raise UsageError(f"quotes: {error}") from None
        return self.run(words) if words else True

    def run(self, words: list[str]) -> bool:
        """Run a command given in words; whether to go on. `--json` may stand anywhere."""
        plain = [word for word in words if word != "--json"]
        arguments = self._parser.parse_args(plain)
        self._output = self._outputs[len(plain) < len(words)]
        if arguments.command == "exit":
            return False
        self._commands[arguments.command](arguments)
        return True

    def complete(self, before: str) -> list[str]:
        """What may stand in place of a line's last word; nothing while no node answers."""
        words = before.split(" ")
        if len(words) == 1 or words[0] == "help":  # names of commands: no node is to be asked
            return completions(words, [], [])
        try:
            namespaces = cluster.namespace_names(self._client)
            of = words[1] if len(words) > 2 and words[1] in namespaces else None
            sets = [row["set"] for row in cluster.sets(self._client, of)]
        except ClientError:
            namespaces, sets = [], []
        return completions(words, namespaces, sets)

    # -- records

    def _get(self, arguments: argparse.Namespace) -> None:
        key = _key(arguments)
        if arguments.bins:
            self._output.record(self._client.select(key, arguments.bins))
        else:
            self._output.record(self._client.get(key))

    def _put(self, arguments: argparse.Namespace) -> None:
        bins = {}
        for text in arguments.assignments:
            name, equals_sign, value = text.partition("=")
            if not equals_sign:
                raise UsageError(f"BIN=VALUE, not {text!r}")
            bins[name] = parse_value(value)
        send = SendKey.SEND if arguments.send_key else SendKey.DIGEST
        key = _key(arguments)
        self._client.put(key, bins, WritePolicy(ttl=arguments.ttl, key=send))
        self._output.message("written", written=True, digest=key.digest.hex())

    def _remove(self, arguments: argparse.Namespace) -> None:
        removed = self._client.remove(_key(arguments))
        self._output.message("removed" if removed else "there was none", removed=removed)

    def _operate(self, arguments: argparse.Namespace) -> None:
        operations = [parse_operation(text) for text in arguments.operations]
        record = self._client.operate(_key(arguments), operations)
        rows = [{"bin": name, "value": value} for name, value in record.results]
        self._output.rows(rows, "done")

    def _scan(self, arguments: argparse.Namespace) -> None:
        self._show(arguments, None)

    def _query(self, arguments: argparse.Namespace) -> None:
        value = parse_value(arguments.value)
        if arguments.end is None:
            self._show(arguments, equals(arguments.bin, value))
            return
        end = parse_value(arguments.end)
        if not isinstance(value, int) or not isinstance(end, int):
            raise InvalidParameter(f"a range has two integers, not {value!r} and {end!r}")
        self._show(arguments, between(arguments.bin, value, end))

    def _show(self, arguments: argparse.Namespace, where: Where | None) -> None:
        policy = _query_policy(arguments.where)
        if arguments.limit is not None and arguments.limit <= 0:
            raise UsageError(f"--limit is at least 1, not {arguments.limit}")
        bins = arguments.bins.split(",") if arguments.bins else None
        set_name = "" if arguments.set == _NO_SET else arguments.set
        with self._client.query(
            arguments.namespace, set_name, where=where, bins=bins, policy=policy
        ) as records:
            self._output.records(records, arguments.limit)

    # -- the cluster

    def _namespaces(self, _: argparse.Namespace) -> None:
        self._output.rows(cluster.namespaces(self._client), "no namespaces")

    def _sets(self, arguments: argparse.Namespace) -> None:
        self._output.rows(cluster.sets(self._client, arguments.namespace), "no sets")

    def _indexes(self, arguments: argparse.Namespace) -> None:
        self._output.rows(cluster.indexes(self._client, arguments.namespace), "no indexes")

    def _functions(self, _: argparse.Namespace) -> None:
        rows = [attrs.asdict(module) for module in self._client.udf_list()]
        self._output.rows(rows, "no functions")

    def _nodes(self, _: argparse.Namespace) -> None:
        self._output.rows(cluster.nodes(self._client), "no nodes")

    def _info(self, arguments: argparse.Namespace) -> None:
        if arguments.all:
            answers = self._client.info_all(arguments.text)
            rows = [{"node": name, "answer": str(each)} for name, each in answers.items()]
            self._output.rows(rows, "no nodes")
            return
        answer = self._client.info(arguments.text)
        error = info_failure(answer)
        if error is not None:
            raise error
        self._output.message("\n".join(answer.split(";")), answer=answer)

    def _explain(self, arguments: argparse.Namespace) -> None:
        try:
            data: bytes | str = bytes.fromhex(arguments.data)
        except ValueError:
            data = arguments.data
        text = explain(data)
        self._output.message(text, expression=text)

    # -- backup files

    def _backup(self, arguments: argparse.Namespace) -> None:
        policy = attrs.evolve(
            _query_policy(arguments.where), records_per_second=arguments.records_per_second
        )
        total = cluster.objects(self._client, arguments.namespace, arguments.set)
        bar = Bar(files.terminal(), total, by_bytes=False)
        with files.writing(arguments.output) as write:
            counts = backup(
                self._client,
                arguments.namespace,
                write,
                set_name=arguments.set,
                compact=arguments.compact,
                policy=policy,
                progress=bar.show,
            )
        bar.end(counts)
        if arguments.output != "-":
            text = f"{counts.records} records, {counts.indexes} indexes, {counts.functions} files"
            self._output.message(f"{text} of functions: {arguments.output}", **_said(counts))

    def _restore(self, arguments: argparse.Namespace) -> None:
        with files.reading(arguments.input) as (read, size):
            bar = Bar(files.terminal(), size, by_bytes=True)
            counts = restore(
                self._client,
                read,
                namespace=arguments.namespace,
                existing=Existing(arguments.existing),
                progress=bar.show,
            )
        bar.end(counts)
        text = f"{counts.records} records restored, {counts.kept} kept, {counts.expired} expired"
        self._output.message(text, **_said(counts))

    def _help(self, arguments: argparse.Namespace) -> None:
        actions = self._parser._subparsers
        assert actions is not None
        choices: Any = actions._group_actions[0].choices
        if arguments.about is None:
            rows = [{"command": name, "": each.description} for name, each in choices.items()]
            self._output.rows(rows, "")
        elif arguments.about in choices:
            self._output.write(choices[arguments.about].format_help().strip())
        else:
            raise UsageError(f"no command is called {arguments.about!r}")


def _key(arguments: argparse.Namespace) -> Key:
    key = parse_value(arguments.key)
    if isinstance(key, bool) or not isinstance(key, int | float | str | bytes):
        key = arguments.key
    set_name = "" if arguments.set == _NO_SET else arguments.set
    return Key(arguments.namespace, set_name, key)


def _query_policy(where: str | None) -> QueryPolicy:
    return QueryPolicy(filter_expression=parse_expression(where) if where else None)


def _said(counts: Any) -> dict[str, Any]:
    return attrs.asdict(counts)


def described(error: Exception) -> str:
    """An error for people, on one line or a few."""
    if isinstance(error, RecordNotFound):
        return "there is no such record"
    return str(error) or type(error).__name__
