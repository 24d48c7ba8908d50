"""The record that a command is about: its key, with the set that is hashed with it, or its
digest."""

from __future__ import annotations

import base64
from typing import Any

from asd.control.arguments import Arguments, BadRequest
from citrusleaf.cf_digest import DIGEST_SIZE, key_digest


def digest_of(arguments: Arguments, set_name: str | None) -> bytes | None:
    """The digest that `key` or `digest` names; None when neither is there. Raises BadRequest."""
    key, digest = arguments.take("key", object), arguments.take("digest", str)
    if key is not None and digest is not None:
        raise BadRequest(f"{arguments.command}: say one of 'key' and 'digest'")
    if digest is not None:
        return _digest(arguments.command, digest)
    if key is None:
        return None
    try:
        return key_digest(set_name or "", user_key(key))
    except (TypeError, ValueError, OverflowError):
        raise BadRequest(
            f"{arguments.command}: 'key' is to be a string, a whole number of 64 bits or "
            f'{{"$bytes": base64}}, not {key!r}'
        ) from None


def _digest(command: str, text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_SIZE:
        raise BadRequest(f"{command}: 'digest' is to be {2 * DIGEST_SIZE} hex digits")
    return digest


def user_key(given: Any) -> Any:
    """A key out of its JSON form. Raises ValueError, TypeError."""
    if isinstance(given, dict) and given.keys() == {"$bytes"}:
        return base64.b64decode(given["$bytes"], validate=True)
    if isinstance(given, bool) or not isinstance(given, str | int | bytes):
        raise TypeError("no key")
    return given
