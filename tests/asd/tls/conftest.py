"""An authority for certificates, and the `tls` block of a node that it knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from asd.config import TlsConfig
from certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def block(authority: Authority) -> TlsConfig:
    """Of a node on this machine."""
    return authority.block(authority.issue_node("127.0.0.1"))
