"""Roles and TLS of `asd.Server`, to order."""

from __future__ import annotations

import pytest

from aerospike_common.wire.errors import OperationError
from asd import Server


@pytest.mark.parametrize(
    ("privilege", "said"), [("reed.test", "'reed' is none of"), ("sys-admin.test", "has no scope")]
)
def test_roles_that_there_cannot_be(privilege: str, said: str) -> None:
    with Server(in_thread=True, security=True) as server, pytest.raises(OperationError, match=said):
        server.create_role("wrong", privilege)


def test_tls_is_to_be_ordered() -> None:
    with Server(in_thread=True) as server, pytest.raises(RuntimeError, match="tls=True"):
        assert server.tls_address
    with pytest.raises(TypeError, match="tls=True"):
        Server(client_certificates=True)
