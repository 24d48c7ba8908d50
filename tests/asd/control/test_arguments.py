"""Arguments of commands: what is wrong with them is said by name."""

from __future__ import annotations

from typing import Any

import pytest

from asd.control.arguments import Arguments, BadRequest


def test_taken_and_left_out() -> None:
    arguments = Arguments("do", {"n": 1, "s": "x", "f": 2, "b": True, "nothing": None})
    assert arguments.take("n", int) == 1
    assert arguments.need("s", str) == "x"
    assert arguments.take("f", float) == 2.0
    assert arguments.take("b", bool) is True
    assert arguments.take("nothing", int) is None
    assert arguments.take("missing", int) is None
    arguments.end()


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (True, int, "do: 'n' is to be a whole number, not True"),
        ("1", float, "do: 'n' is to be a number, not '1'"),
        (1, str, "do: 'n' is to be a string, not 1"),
        ({}, list, "do: 'n' is to be a list, not {}"),
    ],
)
def test_of_another_kind(value: Any, kind: Any, message: str) -> None:
    with pytest.raises(BadRequest) as error:
        Arguments("do", {"n": value}).take("n", kind)
    assert str(error.value) == message


def test_missing_and_left_over() -> None:
    with pytest.raises(BadRequest, match="do: 'n' is missing"):
        Arguments("do", {}).need("n", int)
    arguments = Arguments("do", {"freez": True})
    arguments.take("freeze", bool)
    with pytest.raises(BadRequest, match="do: no argument 'freez'; there are: freeze"):
        arguments.end()
