"""What the shell's lists show of a cluster, added up over its nodes."""

from __future__ import annotations

from typing import Any

from aerospike_client.blocking.client import Client
from aerospike_client.errors import ClientError
from aerospike_client.scripts.info import info_failure, pairs, rows


def _answers(client: Client, command: str) -> list[str]:
    """The nodes' answers. Raises the error of a node that has none."""
    answers = []
    for answer in client.info_all(command).values():
        error = answer if isinstance(answer, ClientError) else info_failure(answer)
        if error is not None:
            raise error
        answers.append(str(answer))
    return answers


def namespace_names(client: Client) -> list[str]:
    """The namespaces of all nodes."""
    found = [name for each in _answers(client, "namespaces") for name in each.split(";") if name]
    return sorted(set(found))


def namespaces(client: Client) -> list[dict[str, Any]]:
    """A row a namespace: records with all their copies, bytes, copies, whether it takes writes."""
    result = []
    for name in namespace_names(client):
        said = [pairs(answer) for answer in _answers(client, f"namespace/{name}")]
        result.append(
            {
                "namespace": name,
                "objects": _total(said, "objects"),
                "master objects": _total(said, "master_objects"),
                "tombstones": _total(said, "tombstones"),
                "data bytes": _total(said, "data_used_bytes"),
                "copies": max(
                    _number(each, "effective_replication_factor", "replication-factor")
                    for each in said
                ),
                "stop writes": any(each.get("stop_writes") == "true" for each in said),
            }
        )
    return result


def objects(client: Client, namespace: str, set_name: str) -> int:
    """Records of a namespace or set, without copies, about: what a bar may count against."""
    if set_name:
        found = [row for row in sets(client, namespace) if row["set"] == set_name]
        return sum(row["objects"] for row in found)
    said = [pairs(answer) for answer in _answers(client, f"namespace/{namespace}")]
    return _total(said, "master_objects") or _total(said, "objects")


def sets(client: Client, namespace: str | None) -> list[dict[str, Any]]:
    """A row a set."""
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for name in [namespace] if namespace else namespace_names(client):
        for answer in _answers(client, f"sets/{name}"):
            for row in rows(answer):
                found.setdefault((row["ns"], row["set"]), []).append(row)
    return [
        {
            "namespace": name,
            "set": set_name,
            "objects": _total(said, "objects"),
            "data bytes": _total(said, "data_used_bytes"),
        }
        for (name, set_name), said in sorted(found.items())
    ]


def indexes(client: Client, namespace: str | None) -> list[dict[str, Any]]:
    """A row an index, without what it has not."""
    wanted = ("ns", "set", "indexname", "bin", "type", "indextype", "context", "exp", "state")
    return [
        {name: row[name] for name in wanted if row.get(name, "null") != "null"}
        for row in client.indexes(namespace)
    ]


def nodes(client: Client) -> list[dict[str, Any]]:
    """A row a node, with what this client has seen of it."""
    return [
        {
            "node": node.name,
            "address": str(node.address),
            "build": ".".join(map(str, node.build)),
            "peers": node.friends,
        }
        for node in client.nodes
    ]


def _total(said: list[dict[str, str]], name: str) -> int:
    return sum(_number(each, name) for each in said)


def _number(said: dict[str, str], *names: str) -> int:
    for name in names:
        if said.get(name, "").isdecimal():
            return int(said[name])
    return 0
