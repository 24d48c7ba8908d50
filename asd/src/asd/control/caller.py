"""Asking a server in another process: one HTTP request a call, on a connection of its own, so that
threads, forks and loops of the tests need not know of one another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.control.arguments import BadRequest
from asd.control.place import Place

TIMEOUT_S: Final = 30.0
"""A server that is there answers in milliseconds; one that hangs must not hang its tests."""


class _Connection(HTTPConnection):
    """A connection to a place, which need not be a port."""

    def __init__(self, place: Place) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._place = place

    def connect(self) -> None:
        """Connect to it."""
        self.sock = self._place.connect(TIMEOUT_S)


def call(place: Place, command: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Have a command carried out; its answer.

    Raises as `Control.call`, and OSError when no server is there, or it ends meanwhile.
    """
    connection = _Connection(place)
    try:
        connection.request("POST", f"/{command}", json.dumps(arguments), {"Connection": "close"})
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    except HTTPException as error:
        raise ConnectionResetError(f"the server has closed the connection: {error!r}") from error
    finally:
        connection.close()
    if "code" in answer:
        raise OperationError(ResultCode(answer["code"]), answer["error"])
    if "error" in answer:
        raise BadRequest(answer["error"])
    return answer
