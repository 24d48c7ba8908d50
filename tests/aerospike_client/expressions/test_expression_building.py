"""What an expression may be built of, and what is said when it may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_client import expressions as exp
from aerospike_client.errors import InvalidParameter
from aerospike_client.expressions import (
    Bin,
    Bool,
    ExpressionError,
    Float,
    Int,
    Str,
    cond,
    let,
    var,
)
from aerospike_client.operations import INFINITY
from aerospike_client.operations import context as ctx
from aerospike_common import as_msgpack

FAULTS: dict[str, tuple[Callable[[], Any], str]] = {
    "and of Python": (lambda: Bin("a") > 1 and Bin("b") > 2, "& | ~ instead of and"),
    "chained": (lambda: 1 < (Bin("a") + 0) < 3, "(a < b) & (b < c)"),
    "no parentheses": (lambda: Bin("a") >= 21 & Bin("b") == 3, "each comparison in parentheses"),
    "bin as truth": (lambda: not Bin("a"), "Bin('a').bool()"),
    "two bins": (lambda: Bin("a") > Bin("b"), "write Bin('b').int()"),
    "int and float": (lambda: Bin("a") + 1 > Bin("b").float(), "convert it with .to_int()"),
    "float and int": (lambda: Bin("b").float() + Bin("a").int(), "convert it with .to_float()"),
    "int and float literal": (lambda: Bin("a").int() > 1.5, "Int takes int, not float: 1.5"),
    "str and int": (lambda: Bin("a").str() == 1, "Str takes str, not int: 1"),
    "bool and int": (lambda: (Bin("a") > 1) & Bin("b").int(), "compare it, in parentheses"),
    "bool literal": (lambda: Bool(1), "Bool takes bool, not int"),
    "int from bool": (lambda: Int(True), "Int takes int, not bool"),
    "too big": (lambda: Bin("a") > 2**63, "does not fit into 64 signed bits"),
    "inexact": (lambda: Bin("f").float() > 2**53 + 1, "not exact as a double"),
    "bin name": (lambda: Bin("x" * 16), "1 to 15 bytes"),
    "bin name empty": (lambda: Bin(""), "1 to 15 bytes"),
    "bin name type": (lambda: Bin(5), "named by a str, not int"),
    "geo": (lambda: Bin("g").geo() == "x", "use .within(region)"),
    "sketch": (lambda: Bin("h").hll() == 5, "compare their .count()"),
    "in": (lambda: 5 in Bin("l").list(), "use .contains(value)"),
    "iteration": (lambda: list(Bin("l").list()), "no elements here"),
    "no list": (lambda: Bin("l").list().append_items("ab"), "List takes a list, not str"),
    "no dict": (lambda: Bin("m").map().put_items([1]), "Map takes a dict, not list"),
    "bin as argument": (lambda: Bin("l").list().append(Bin("a")), "write Bin('a').int()"),
    "step into a map": (lambda: Bin("l").list().at(ctx.map_key("x")), "use list_index()"),
    "no steps": (lambda: Bin("l").list().path(), "give steps such as"),
    "key type": (lambda: exp.key(Float), "Int, Str or Blob, never Float"),
    "modulus": (lambda: exp.digest_modulo(0), "from 1 to 2^31-1"),
    "cond value": (lambda: cond(Str, (Bin("a") > 1, 2), otherwise="x"), "Str takes str, not int"),
    "cond empty": (lambda: cond(Str, otherwise="x"), "at least 1, not 0"),
    "cond condition": (
        lambda: cond(Str, (Bin("a").int(), "x"), otherwise="y"),
        "Bool is wanted here, and this is Int",
    ),
    "exclusive of one": (lambda: exp.exclusive(Bin("a").bool()), "at least 2, not 1"),
    "minimum of bins": (lambda: exp.minimum(Bin("a"), Bin("b")), "say the type of one"),
    "minimum of text": (lambda: exp.minimum("a"), "numbers are wanted, not Str"),
    "variable name": (lambda: var("1a", Int), "letters, digits and _"),
    "variable type": (lambda: let({"x": 1}, var("x", Str) == "a"), "used as STR and is INT"),
    "variable twice": (
        lambda: let({"x": let({"x": 1}, var("x", Int) + 1)}, var("x", Int) > 1),
        "defined inside of another x",
    ),
    "variable too late": (
        lambda: let({"x": var("y", Int), "y": 1}, var("x", Int) > 1),
        "x uses y, which is defined after it",
    ),
    "variable in a path": (
        lambda: Bin("l").list().path(ctx.all_children(var("x", Int) == 1)),
        "does not see the variables around it",
    ),
    "condition of a path": (
        lambda: ctx.all_children(Bin("l").int()),
        "an expression that gives Bool",
    ),
    "undefined variable": ((var("x", Int) > 1).compile, "not defined by any let(): x"),
    "mixed list of literals": (lambda: Bin("a").is_in([1, "a"]), "say the type of Bin('a')"),
    "no value": (lambda: Bin("a") == object(), "no expression has the type object"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_says_what_would_be_right(name: str) -> None:
    build, text = FAULTS[name]

    with pytest.raises(InvalidParameter) as caught:
        build()
    assert text in str(caught.value)


def test_unknown_stands_among_conditions_and_for_values_of_any_type() -> None:
    flag = Bin("t").bool()

    assert (exp.unknown() == flag).tree == [1, [0], flag.tree]
    assert (exp.unknown() & flag & True).tree == [16, [0], flag.tree, True]
    assert cond(Int, (exp.unknown(), 1), otherwise=exp.unknown()).tree == [123, [0], 1, [0]]
    assert cond(Bool, (flag, exp.unknown()), otherwise=flag).TYPE is exp.ExpType.BOOL


def test_too_large() -> None:
    with pytest.raises(ExpressionError, match="the server takes less than 1048576"):
        (Bin("a") == "x" * (1 << 20)).compile()


def test_expressions_do_not_change() -> None:
    condition = Bin("a") > 1
    both = condition & condition

    assert condition.compile() == bytes.fromhex("9303935102a16101")
    assert both.compile() == (condition & condition).compile()
    with pytest.raises(AttributeError):
        condition.tree = []
    with pytest.raises(TypeError):
        hash(condition)
    with pytest.raises(TypeError):
        hash(Bin("a"))


@pytest.mark.parametrize(
    ("expression", "same"),
    [
        (Bin("a") + 1, Bin("a").int() + 1),
        (2 - Bin("a"), 2 - Bin("a").int()),
        (Bin("a") * 1.5, Bin("a").float() * 1.5),
        (3 / Bin("a"), Int(3) / Bin("a").int()),
        (Bin("a") % 2, Bin("a").int() % 2),
        (Bin("a") << 2, Bin("a").int() << 2),
        (Bin("a") & 255, Bin("a").int() & 255),
        (Bin("a") | exp.key_exists(), Bin("a").bool() | exp.key_exists()),
        (Bin("a") == [1], Bin("a").list() == [1]),
        (Bin("a") == {"b": 1}, Bin("a").map() == {"b": 1}),
        (Bin("a") == b"b", Bin("a").blob() == b"b"),
        (Bin("a") == Bin("b").str(), Bin("a").str() == Bin("b").str()),
        (Bin("a").is_in([1, 2]), Bin("a").int().is_in([1, 2])),
        (Float(1.0) + Bin("a"), Float(1.0) + Bin("a").float()),
        (Bin("f").float() > 1, Bin("f").float() > 1.0),
    ],
)
def test_a_bin_has_the_type_of_what_stands_beside_it(
    expression: exp.Expression, same: exp.Expression
) -> None:
    assert expression.compile() == same.compile()


def test_parentheses_on_the_right_are_kept_where_they_matter() -> None:
    a, f = Bin("a").int(), Bin("f").float()

    assert (a - (a - 1)).tree == [21, a.tree, [21, a.tree, 1]]
    assert (a / (a / 2)).tree == [23, a.tree, [23, a.tree, 2]]
    assert (f + (f + 1.0)).tree == [20, f.tree, [20, f.tree, 1.0]]
    assert (a + (a + 1)).tree == [20, a.tree, a.tree, 1]
    assert (-a - 1).tree == [21, [21, a.tree], 1]


EXPLAINED = {
    "(Bin('age').int() >= 21) & Bin('tags').list().get_by_value(EXISTS, 'x')": (
        (Bin("age") >= 21) & Bin("tags").list().contains("x")
    ),
    "~Bin('a').exists() | (key(Str) == 'x')": ~Bin("a").exists() | (exp.key(Str) == "x"),
    "let({'x': Bin('a').int(), 'y': var('x') * 2}, var('y') > var('x'))": let(
        {"x": Bin("a").int(), "y": var("x", Int) * 2}, var("y", Int) > var("x", Int)
    ),
    "cond((Bin('a').int() < 18, 'minor'), otherwise=unknown())": cond(
        Str, (Bin("a") < 18, "minor"), otherwise=exp.unknown()
    ),
    "Bin('m').map().at(map_key('k'), list_index_create(-1)).append([1, None])": (
        Bin("m").map().at(ctx.map_key("k"), ctx.list_index_create(-1)).list().append([1, None])
    ),
    "Bin('m').map().get_by_key(VALUE, 'k', Int) + 1": Bin("m").map().get("k", Int) + 1,
    "Bin('l').list().remove_by_value_range(NONE INVERTED, 1, INFINITY)": (
        Bin("l").list().by_value_range(1, INFINITY).inverted().remove()
    ),
    "Bin('m').map().path(all_children(element_value(Int) > 3), no_fail=True).values()": (
        Bin("m").map().path(ctx.all_children(exp.element_value(Int) > 3), no_fail=True).values()
    ),
    "Bin('s').str().matches('a.*', RegexFlags(2))": (
        Bin("s").str().matches("a.*", exp.RegexFlags.IGNORE_CASE)
    ),
    "~(key_exists() & Bin('a').exists())": ~(exp.key_exists() & Bin("a").exists()),
    "abs(Bin('a').int()) << 2": abs(Bin("a").int()) << 2,
    "Bin('b').blob().get_int(0, 8, 1)": Bin("b").blob().get_int(0, 8, signed=True),
    "Bin('h').hll().may_contain([1, b'x'])": Bin("h").hll().may_contain([1, b"x"]),
    "Bin('g').geo().within(Geo('{}'))": Bin("g").geo().within("{}"),
    "minimum(Bin('a').int(), 1)": exp.minimum(Bin("a"), 1),
    "ttl() == -1": exp.ttl() == -1,
    "Bin('a').blob() == b'\\xff'": Bin("a") == b"\xff",
    "Bin('a').map() == {'b': 1.5}": Bin("a") == {"b": 1.5},
}


@pytest.mark.parametrize("text", EXPLAINED)
def test_explain(text: str) -> None:
    expression = EXPLAINED[text]

    assert exp.explain(expression.compile()) == text
    assert exp.explain(expression.to_base64()) == text
    assert text in repr(expression)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-300, 300) | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=5)
            | st.builds(
                lambda code, rest: [code, *rest], st.integers(0, 127), st.lists(inner, max_size=5)
            )
            | st.dictionaries(st.integers(-9, 9), inner, max_size=2)
        ),
    )
)
def test_explain_describes_whatever_comes(tree: object) -> None:
    assert exp.explain(as_msgpack.pack(tree))


@pytest.mark.parametrize("data", [b"", b"\x93\x01", b"\x01\x01", "*", "kw"])
def test_explain_refuses_what_is_no_msgpack(data: bytes | str) -> None:
    with pytest.raises(InvalidParameter):
        exp.explain(data)
