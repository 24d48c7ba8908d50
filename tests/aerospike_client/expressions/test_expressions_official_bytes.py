"""The wire form of every expression is the official client's, byte for byte."""

from __future__ import annotations

import base64
from typing import Any

import aerospike
import pytest
from aerospike_helpers import expressions as official

from aerospike_client import expressions as exp
from aerospike_client.expressions import Bin, Geo, Int, Map, Str
from aerospike_client.operations.codes import NumericType, StrRegexFlags, StrWriteFlags
from aerospike_common import AsOrderedmap, from_python

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

A, F, S = Bin("a").int(), Bin("f").float(), Bin("s").str()
LST, MP = Bin("l").list(), Bin("m").map()
OA, OF, OS, OB = (
    official.IntBin("a"),
    official.FloatBin("f"),
    official.StrBin("s"),
    official.BlobBin("b"),
)
OL, OM = official.ListBin("l"), official.MapBin("m")

POINT = {"type": "Point", "coordinates": [1.0, 2.0]}
EXISTS_A, EXISTS_B, EXISTS_C = Bin("a").exists(), Bin("b").exists(), Bin("c").exists()
O_EXISTS = [official.BinExists(name) for name in "abc"]

RECORD = {
    "digest modulo": (exp.digest_modulo(3), official.DigestMod(3)),
    "last update": (exp.last_update(), official.LastUpdateTime()),
    "since update": (exp.since_update(), official.SinceUpdateTime()),
    "void time": (exp.void_time(), official.VoidTime()),
    "ttl": (exp.ttl(), official.TTL()),
    "set name": (exp.set_name(), official.SetName()),
    "key exists": (exp.key_exists(), official.KeyExists()),
    "is tombstone": (exp.is_tombstone(), official.IsTombstone()),
    "device size": (exp.device_size(), official.DeviceSize()),
    "memory size": (exp.memory_size(), official.MemorySize()),
    "record size": (exp.record_size(), official.RecordSize()),
    "key int": (exp.key(Int), official.KeyInt()),
    "key str": (exp.key(Str), official.KeyStr()),
    "key blob": (exp.key(exp.Blob), official.KeyBlob()),
    "bin type": (Bin("a").type(), official.BinType("a")),
    "bin exists": (Bin("a").exists(), official.BinExists("a")),
}

COMPARISONS = {
    "eq": (Bin("a") == 1, official.Eq(OA, 1)),
    "ne": (Bin("a") != 1, official.NE(OA, 1)),
    "gt": (Bin("a") > 300, official.GT(OA, 300)),
    "ge": (Bin("a") >= -300, official.GE(OA, -300)),
    "lt": (Bin("a") < 2**40, official.LT(OA, 2**40)),
    "le": (Bin("a") <= -(2**63), official.LE(OA, -(2**63))),
    "float": (Bin("f") == 1.5, official.Eq(OF, 1.5)),
    "str": (Bin("s") == "x" * 40, official.Eq(OS, "x" * 40)),
    "blob": (Bin("b") == b"abc\xff", official.Eq(OB, b"abc\xff")),
    "bool": (Bin("t") == True, official.Eq(official.BoolBin("t"), True)),  # noqa: E712 - it is built
    "list": (
        Bin("l") == [1, "a", None, True, 2.5, b"x", [1], {}],
        official.Eq(OL, [1, "a", None, True, 2.5, b"x", [1], {}]),
    ),
    "empty list": (Bin("l") == [], official.Eq(OL, [])),
    "map": (Bin("m") == {"b": 1, "a": 2, 3: 4}, official.Eq(OM, {"b": 1, "a": 2, 3: 4})),
    "ordered map": (
        Bin("m").map() == Map(AsOrderedmap([(from_python("a"), from_python(2))])),
        official.Eq(OM, aerospike.KeyOrderedDict({"a": 2})),
    ),
    "two bins": (Bin("a").int() == Bin("b").int(), official.Eq(OA, official.IntBin("b"))),
    "geo": (
        Bin("g").geo().within(POINT),
        official.CmpGeo(official.GeoBin("g"), aerospike.GeoJSON(POINT)),
    ),
    "geo text": (
        Geo('{"type": "Point"}').within(Bin("g")),
        official.CmpGeo(aerospike.GeoJSON({"type": "Point"}), official.GeoBin("g")),
    ),
    "regex": (
        S.matches("a.*", exp.RegexFlags.IGNORE_CASE | exp.RegexFlags.NEWLINE),
        official.CmpRegex(2 | 4, "a.*", OS),
    ),
    "in list": (Int(3).is_in(LST), official.InList(3, OL)),
}

LOGIC = {
    "and": (EXISTS_A & EXISTS_B & EXISTS_C, official.And(*O_EXISTS)),
    "and of and": (EXISTS_A & (EXISTS_B & EXISTS_C), official.And(*O_EXISTS)),
    "or": (EXISTS_A | EXISTS_B, official.Or(*O_EXISTS[:2])),
    "all of": (exp.all_of(EXISTS_A, EXISTS_B, EXISTS_C), official.And(*O_EXISTS)),
    "any of": (exp.any_of(EXISTS_A, EXISTS_B, EXISTS_C), official.Or(*O_EXISTS)),
    "not": (~EXISTS_A, official.Not(O_EXISTS[0])),
    "exclusive": (EXISTS_A ^ EXISTS_B, official.Exclusive(*O_EXISTS[:2])),
    "exclusive of three": (
        exp.exclusive(EXISTS_A, EXISTS_B, EXISTS_C),
        official.Exclusive(*O_EXISTS),
    ),
    "unknown": (exp.unknown(), official.Unknown()),
    "let": (
        exp.let({"x": A, "y": 3}, exp.var("x", Int) == exp.var("y", Int)),
        official.Let(
            official.Def("x", OA),
            official.Def("y", 3),
            official.Eq(official.Var("x"), official.Var("y")),
        ),
    ),
    "cond": (
        exp.cond(Str, (A == 1, "x"), (A == 2, "y"), otherwise=exp.unknown()),
        official.Cond(official.Eq(OA, 1), "x", official.Eq(OA, 2), "y", official.Unknown()),
    ),
    "literal": (exp.literal(5), official.Val(5)),
    "literal list": (exp.literal([1]), official.Val([1])),
    "literal nil": (exp.literal(None), official.Val(None)),
}

ARITHMETIC = {
    "add": (A + 1 + 2, OA + 1 + 2),
    "sub": (A - 1 - 2, OA - 1 - 2),
    "mul": (A * 1 * 2, OA * 1 * 2),
    "div": (A / 1 / 2, OA / 1 / 2),
    "float sum": (F + 1.5 + 2.5, OF + 1.5 + 2.5),
    "reflected": (1.0 / F, official.Div(1.0, OF)),
    "minus": (-A, official.Sub(OA)),
    "pow": (F**2.0, official.Pow(OF, 2.0)),
    "log": (F.log(2.0), official.Log(OF, 2.0)),
    "mod": (A % 2, official.Mod(OA, 2)),
    "abs": (abs(A), official.Abs(OA)),
    "floor": (F.floor(), official.Floor(OF)),
    "ceil": (F.ceil(), official.Ceil(OF)),
    "floordiv": (F // 2.0, OF // 2.0),
    "to int": (F.to_int(), official.ToInt(OF)),
    "to float": (A.to_float(), official.ToFloat(OA)),
    "int and": (A & 1 & 2, official.IntAnd(OA, 1, 2)),
    "int or": (A | 1, official.IntOr(OA, 1)),
    "int xor": (A ^ 1, official.IntXOr(OA, 1)),
    "int not": (~A, official.IntNot(OA)),
    "lshift": (A << 1, official.IntLeftShift(OA, 1)),
    "rshift": (A.logical_rshift(1), official.IntRightShift(OA, 1)),
    "arshift": (A >> 1, official.IntArithmeticRightShift(OA, 1)),
    "bit count": (A.bit_count(), official.IntCount(OA)),
    "lscan": (A.lscan(True), official.IntLeftScan(OA, True)),
    "rscan": (A.rscan(False), official.IntRightScan(OA, False)),
    "min": (exp.minimum(Bin("a"), 1), official.Min(OA, 1)),
    "max": (exp.maximum(A, 1, 2), official.Max(OA, 1, 2)),
    "max float": (exp.maximum(Bin("f"), 1.5, 2), official.Max(OF, 1.5, 2.0)),
}

TEXTS = {
    "length": (S.length(), official.StrLen(OS)),
    "substr": (S.substr(1), official.SubStr(1, OS)),
    "substr range": (S.substr(1, 2), official.SubStrRange(1, 2, OS)),
    "char at": (S.char_at(0), official.CharAt(0, OS)),
    "find": (S.find("a"), official.Find("a", 1, OS)),
    "contains": (S.contains("a"), official.Contains("a", OS)),
    "starts with": (S.starts_with("a"), official.StartsWith("a", OS)),
    "ends with": (S.ends_with("a"), official.EndsWith("a", OS)),
    "to int": (S.to_int(), official.ToInteger(OS)),
    "to float": (S.to_float(), official.ToDouble(OS)),
    "byte length": (S.byte_length(), official.ByteLength(OS)),
    "is numeric": (S.is_numeric(NumericType.INT), official.IsNumeric(official.NumericType.INT, OS)),
    "is upper": (S.is_upper(), official.IsUpper(OS)),
    "is lower": (S.is_lower(), official.IsLower(OS)),
    "to blob": (S.to_blob(), official.ToBlob(OS)),
    "split": (S.split(), official.Split(OS)),
    "split at": (S.split(","), official.SplitSeparator(",", OS)),
    "base64 decode": (S.b64_decode(), official.Base64Decode(OS)),
    "regex": (
        S.regex_matches("a", StrRegexFlags.IGNORE_CASE),
        official.RegexCompare("a", OS, official.RegexFlags(1)),
    ),
    "insert": (S.insert(0, "x"), official.Insert(None, 0, "x", OS)),
    "overwrite": (S.overwrite(0, "x"), official.Overwrite(None, 0, "x", OS)),
    "concat": (S.concat(["a", "b"]), official.Concat(None, ["a", "b"], OS)),
    "snip": (S.snip(0, 2), official.Snip(None, 0, 2, OS)),
    "snip rest": (S.snip(0), official.Snip(None, 0, None, OS)),
    "replace": (S.replace("a", "b"), official.Replace(None, "a", "b", OS)),
    "replace all": (S.replace_all("a", "b"), official.ReplaceAll(None, "a", "b", OS)),
    "upper": (S.upper(StrWriteFlags.NO_FAIL), official.Upper(official.StringPolicy(4), OS)),
    "lower": (S.lower(), official.Lower(None, OS)),
    "case fold": (S.case_fold(), official.CaseFold(None, OS)),
    "normalize": (S.normalize_nfc(), official.NormalizeNFC(None, OS)),
    "trim start": (S.trim_start(), official.TrimStart(None, OS)),
    "trim end": (S.trim_end(), official.TrimEnd(None, OS)),
    "trim": (S.trim(), official.Trim(None, OS)),
    "pad start": (S.pad_start(5, "x"), official.PadStart(None, 5, "x", OS)),
    "pad end": (S.pad_end(5, "x"), official.PadEnd(None, 5, "x", OS)),
    "repeat": (S.repeat(2), official.Repeat(None, 2, OS)),
    "regex replace": (
        S.regex_replace("a", "b", StrRegexFlags.GLOBAL),
        official.RegexReplace(None, "a", "b", official.RegexFlags(16), OS),
    ),
    "append": (S.append("x"), official.Append(None, "x", OS)),
    "prepend": (S.prepend("x"), official.Prepend(None, "x", OS)),
    "to str": (exp.to_str(F), official.ToString(OF)),
    "join": (exp.join(LST, ","), official.ListJoin(None, ",", OL)),
    "join plain": (exp.join(LST), official.ListJoin(None, None, OL)),
    "base64 encode": (
        exp.b64_encode(Bin("b").blob()),
        official.BitB64Encode(0, None, False, official.BlobBin("b")),
    ),
}

TABLES = {
    "record": RECORD,
    "comparison": COMPARISONS,
    "logic": LOGIC,
    "arithmetic": ARITHMETIC,
    "text": TEXTS,
}

CASES = [
    pytest.param(ours, theirs, id=f"{table}: {name}")
    for table, cases in TABLES.items()
    for name, (ours, theirs) in cases.items()
]


@pytest.mark.parametrize(("ours", "theirs"), CASES)
def test_bytes_are_the_official_client_s(
    official_client: Any, ours: exp.Expression, theirs: Any
) -> None:
    reference = base64.b64decode(official_client.get_expression_base64(theirs.compile()))

    assert ours.compile() == reference, exp.explain(reference)
    assert ours.to_base64() == official_client.get_expression_base64(theirs.compile())
