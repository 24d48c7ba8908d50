"""A sample of `make attack-admin`."""

from __future__ import annotations

from attack.admin import attack


def test_some_thousand_admin_messages_do_no_harm() -> None:
    said: list[str] = []
    assert attack(4_000, seed=1, say=said.append) == []
    assert said[-2].startswith("4,000 messages")
