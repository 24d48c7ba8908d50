"""Changes as JSON, in the two shapes of the public outbound connectors.

`as_json`       `{"msg": "write", "key": [...], "gen": 1, "exp": 0, "lut": ..., "bins": [...]}`
`as_flat_json`  bins as members by their names, the metadata in one member of its own

The key is namespace, set, digest, user key. Times are those of Unix: `lut` in milliseconds, `exp`
in seconds, 0 for never. Bytes are base64.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from aerospike_client.changes.change import Change
from aerospike_common import AsBytes, AsGeojson
from aerospike_common.wire import ParticleType

METADATA_KEY: Final = "metadata"

_TYPES: Final = {
    ParticleType.NULL: "null",  # a bin that was deleted, where only what has changed is told
    ParticleType.INTEGER: "int",
    ParticleType.DOUBLE: "float",
    ParticleType.STRING: "str",
    ParticleType.BLOB: "blob",
    ParticleType.BOOL: "bool",
    ParticleType.GEOJSON: "geojson",
    ParticleType.LIST: "list",
    ParticleType.MAP: "map",
}


def as_json(change: Change) -> str:
    """One object; bins with their types."""
    key = [change.namespace, change.set_name or None, _base64(change.digest)]
    if change.user_key is not None:
        key.append(_plain(change.user_key))
    record: dict[str, Any] = {"msg": _kind(change), "key": key, **_metadata(change)}
    if not change.deleted:
        record["bins"] = [
            {"name": name, "type": _TYPES.get(ParticleType(kind), "blob"), "value": value}
            for (name, kind, _), value in zip(
                change.particles, map(_plain, change.bins.values()), strict=True
            )
        ]
    return _dumped(record)


def as_flat_json(change: Change, metadata_key: str = METADATA_KEY) -> str:
    """One object; bins are its members."""
    metadata = {
        "msg": _kind(change),
        "namespace": change.namespace,
        "set": change.set_name or None,
        "userKey": _plain(change.user_key),
        "digest": _base64(change.digest),
        **_metadata(change),
    }
    bins = {name: _plain(value) for name, value in change.bins.items()}
    told = {name: value for name, value in metadata.items() if value is not None}
    return _dumped({**bins, metadata_key: told})


def _kind(change: Change) -> str:
    return "delete" if change.deleted else "write"


def _metadata(change: Change) -> dict[str, Any]:
    if change.deleted:
        return {"lut": change.updated_ms, "durable": change.durable}
    expires_s = change.updated_ms // 1000 + change.ttl if change.ttl is not None else 0
    return {"gen": change.generation, "exp": expires_s, "lut": change.updated_ms}


def _dumped(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _plain(value: Any) -> Any:
    """What JSON has of a value; keys of maps are texts there."""
    match value:
        case bytes():
            return _base64(value)
        case str():
            return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        case list() | tuple():
            return [_plain(each) for each in value]
        case dict():
            return {_member(key): _plain(each) for key, each in value.items()}
        case AsGeojson():
            return value.value
        case AsBytes():
            return _base64(value.value)
    return value


def _member(key: Any) -> str:
    plain = _plain(key)
    return plain if isinstance(plain, str) else json.dumps(plain)
