"""`Change`: a record that was written or deleted, as change shipping tells it."""

from __future__ import annotations

from typing import Any, Final

import attrs

from aerospike_client.key import Key, UserKey, user_key_of
from aerospike_client.values import from_particle
from aerospike_common.wire import FieldType, Info2, Message, MessageError, parse_message

EPOCH_S: Final = 1_262_304_000
"""2010-01-01 in seconds of Unix: what servers count times from."""
TTL_NEVER: Final = 0xFFFFFFFF
_DIGEST: Final = 20


@attrs.frozen
class Change:
    """One change. The record is as it was when it was shipped: of several writes in a row only the
    last may be told."""

    namespace: str
    set_name: str
    digest: bytes
    #: The user's key, where it is stored with the record.
    user_key: UserKey | None
    #: The record has been deleted; it then has no bins.
    deleted: bool
    #: The delete was a durable one.
    durable: bool
    generation: int
    #: When it changed: milliseconds of Unix, by the server's clock; 0 where it was not told.
    updated_ms: int
    #: Seconds it had to live when it was shipped; None: for ever.
    ttl: int | None
    bins: dict[str, Any]
    #: Type and bytes of each bin, as they travel.
    particles: tuple[tuple[str, int, bytes], ...] = attrs.field(repr=False)

    @property
    def key(self) -> Key:
        """For commands on the record."""
        return Key.of_digest(self.namespace, self.set_name, self.digest, self.user_key)


def parse_change(body: bytes) -> Change:
    """The change in the body of a message. MessageError for what is none."""
    message = parse_message(body)
    digest = message.fields.get(FieldType.DIGEST, b"")
    if not message.info2 & Info2.WRITE or len(digest) != _DIGEST:
        raise MessageError("a message that ships no record")
    return Change(
        namespace=_text(message.fields.get(FieldType.NAMESPACE, b"")),
        set_name=_text(message.fields.get(FieldType.SET, b"")),
        digest=digest,
        user_key=user_key_of(message.fields.get(FieldType.KEY, b"")),
        deleted=bool(message.info2 & Info2.DELETE),
        durable=bool(message.info2 & Info2.DURABLE_DELETE),
        generation=message.generation,
        updated_ms=_updated_ms(message),
        ttl=None if message.record_ttl in (0, TTL_NEVER) else message.record_ttl,
        bins={_text(op.name): from_particle(op.particle_type, op.value) for op in message.ops},
        particles=tuple((_text(op.name), op.particle_type, op.value) for op in message.ops),
    )


def _updated_ms(message: Message) -> int:
    told = message.fields.get(FieldType.LAST_UPDATE_TIME, b"")
    return int.from_bytes(told, "big") + 1000 * EPOCH_S if len(told) == 8 else 0


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
