"""Exact answers, as the real community server gave them."""

import base64

import pytest

from aerospike_common import as_msgpack
from asd.info import COMMANDS, respond

NO_NAMESPACE = "ERROR:20:missing 'namespace'"
NOT_FOUND = "ERROR:20:namespace not found on node"
UNRECOGNIZED = "ERROR:4:unrecognized command"
ENTERPRISE = "ERROR:25:enterprise only"
TYPES = "must be one of 'numeric', 'string', 'blob', 'geo2dsphere'"
N64 = "n" * 64
GOOD = "sindex-create:namespace=test;indexname=x1"

ANSWERS = {
    # names and separators
    "build": "8.1.2.0",
    "build:": "8.1.2.0",
    "build/x": "8.1.2.0",
    "build;": "8.1.2.0",
    "build;edition": "8.1.2.0",
    "build ": UNRECOGNIZED,
    " build": UNRECOGNIZED,
    "Build": UNRECOGNIZED,
    "": UNRECOGNIZED,
    "nosuch:a=b": UNRECOGNIZED,
    # identity
    "edition": "Aerospike Community Edition",
    "version": "Aerospike Community Edition build 8.1.2.0",
    "compatibility-id": "15",
    "status": "ok",
    "connection": "admin=false",
    "partitions": "4096",
    "digests": "RIPEMD160",
    "namespaces": "test;bar",
    "recluster:x=1": "ok",
    "cluster-stable:size=abc": "ERROR:4:bad size",
    "cluster-stable:size=2": "ERROR:7:cluster not specified size",
    "cluster-stable:ignore-migrations=maybe": "ERROR:4:bad ignore migrations",
    "cluster-stable:namespace=nosuch": NOT_FOUND,
    "tip:": "ERROR:4:missing 'host'",
    "tip:host=127.0.0.1": "ERROR:4:missing 'port'",
    "tip:host=127.0.0.1;port=abc": "ERROR:4:'port' must be an integer",
    "tip-clear:": "ERROR:4:missing 'host-port-list'",
    # configuration
    "get-config:context=": "ERROR:4:missing 'context' value",
    "get-config:context=nosuch": "ERROR:4:invalid context",
    "get-config:context=security": "",
    "get-config:context=xdr": "",
    "get-config:context=namespace": NO_NAMESPACE,
    "get-config:context=namespace;ns=bar": NO_NAMESPACE,
    "get-config:context=namespace;namespace=nosuch": NOT_FOUND,
    "set-config:": "ERROR:4:missing 'context'",
    "set-config:context=": "ERROR:4:missing 'context' value",
    "set-config:context=nosuch": "ERROR:4:invalid context",
    "set-config:context=service": "ERROR:4:invalid set-config parameter",
    "set-config:context=service;nosuch=1": "ERROR:4:invalid set-config parameter",
    "set-config:context=service;proto-fd-max=abc": "ERROR:4:invalid set-config parameter",
    "config-set:context=service;nosuch=1": "ERROR:4:invalid set-config parameter",
    "set-config:context=network;nosuch=1": "ERROR:4:invalid set-config parameter",
    "set-config:context=security;nosuch=1": ENTERPRISE,
    "set-config:context=xdr;nosuch=1": ENTERPRISE,
    "set-config:context=namespace": NO_NAMESPACE,
    "set-config:context=namespace;ns=test;default-ttl=0": NO_NAMESPACE,
    "set-config:context=namespace;namespace=nosuch;default-ttl=1": NOT_FOUND,
    "set-config:context=namespace;namespace=test": "ERROR:4:invalid set-config parameter",
    # statistics and health
    "get-stats:": "ERROR:4:missing 'context'",
    "get-stats:context=nosuch": "ERROR:4:unknown context",
    "get-stats:context=xdr;dc=a": "",
    "health-outliers": "",
    "namespace": "type=unknown",
    "namespace/nosuch": "type=unknown",
    "namespace/test/x": "type=unknown",
    "sets/nosuch": "ns_type=unknown",
    "sets/test/": "",
    "sets/test/nosuch": "",
    # truncation
    "truncate:": NO_NAMESPACE,
    "truncate:set=x": NO_NAMESPACE,
    "truncate:ns=nosuch;set=x": NO_NAMESPACE,
    "truncate:namespace=test": "ERROR:4:missing 'set'",
    "truncate:namespace=test;set=": "ERROR:4:missing 'set' value",
    f"truncate:namespace=test;set={N64}": "ERROR:4:'set' value too long",
    "truncate:namespace=nosuch;set=x": "ok",
    "truncate:namespace=test;set=x;lut=abc": "ERROR:4:would truncate to 0",
    "truncate:namespace=test;set=x;lut=1": "ERROR:4:would truncate to 0",
    "truncate:namespace=test;set=x;lut=99999999999999999999": (
        "ERROR:4:would truncate in the future"
    ),
    "truncate-namespace:": NO_NAMESPACE,
    "truncate-namespace:namespace=nosuch": "ok",
    "truncate-namespace:namespace=test;set=x": "ERROR:4:unexpected set name",
    "truncate-undo:namespace=test": "ERROR:4:missing 'set'",
    "truncate-undo:namespace=test;set=x": "ok",
    "truncate-namespace-undo:": NO_NAMESPACE,
    "truncate-namespace-undo:namespace=bar": "ok",
    "eviction-reset:": NO_NAMESPACE,
    "eviction-reset:namespace=test;ttl=abc": "ok",
    # logs
    "log/99": "ERROR::bad-id",
    "log/abc": "ERROR:4:bad sink-id",
    "log/0/any": "ERROR::bad-context",
    "log/0/nosuch": "ERROR::bad-context",
    "log-set:": "ERROR:4:missing id",
    "log-set:id=abc;any=info": "ERROR:4:bad id",
    "log-set:id=0": "ERROR:4:missing context",
    "log-set:id=99;any=info": "ERROR:4:bad parameter",
    "log-set:id=0;nosuch=info": "ERROR:4:bad parameter",
    "log-set:id=0;any=nosuch": "ERROR:4:bad parameter",
    "log-set:id=0;any=info": "ok",
    "set-log:id=0;any=info": "ok",
    "log-message:": "ERROR:4:missing 'message'",
    "log-message:message=x;who=y": "",
    # histograms
    "histogram:": NO_NAMESPACE,
    "histogram:namespace=nosuch;type=ttl": NOT_FOUND,
    "histogram:namespace=test": "ERROR:4:missing 'type'",
    "histogram:namespace=test;type=nosuch": "ERROR:4:unknown hist name",
    "histogram:namespace=test;type=ttl;set=nosuch": "ERROR:4:unknown set name",
    "histogram:namespace=test;type=object-size": "",
    "latencies:hist=nosuch": "ERROR:4:bad hist name",
    "latencies:hist={nosuch}-read": "ERROR:4:bad hist name",
    "latencies:hist={test}-nosuch": "ERROR:4:bad hist name",
    # secondary indexes
    "sindex": "",
    "sindex/test": "",
    "sindex/test/nosuch": "ERROR:201:no index",
    "sindex-create:": "ERROR:4:missing 'indexname'",
    "sindex-create:indexname=x1;bin=a;type=numeric": NO_NAMESPACE,
    "sindex-create:namespace=test;indexname=;bin=a": "ERROR:4:missing 'indexname' value",
    f"sindex-create:namespace=test;indexname={N64}": "ERROR:4:'indexname' value too long",
    "sindex-create:namespace=nosuch;indexname=x1;bin=a;type=numeric": "ok",
    f"{GOOD};set={N64};bin=a;type=numeric": "ERROR:4:'set' value too long",
    f"{GOOD};indextype=set": "ERROR:4:missing 'set'",
    f"{GOOD};indextype=nosuch;bin=a;type=numeric": (
        "ERROR:4:bad 'indextype' - must be one of 'default', 'list', 'mapkeys', 'mapvalues'"
    ),
    GOOD: "ERROR:4:both 'indexdata' and 'type' are missing",
    f"{GOOD};bin=a": "ERROR:4:both 'indexdata' and 'type' are missing",
    f"{GOOD};bin=;type=numeric": "ERROR:4:missing 'bin' value",
    f"{GOOD};bin=bbbbbbbbbbbbbbbb;type=numeric": "ERROR:4:'bin' value too long",
    f"{GOOD};bin=a;type=": "ERROR:4:missing 'type' value",
    f"{GOOD};bin=a;type=integer": f"ERROR:4:bad 'type' - {TYPES}",
    f"{GOOD};exp=BQ==;bin=a;type=numeric": "ERROR:4:both 'bin' and 'exp' are specified",
    f"{GOOD};exp=!!;type=numeric": "ERROR:4:bad 'exp'",
    f"{GOOD};exp=kA==;type=numeric": "ERROR:4:bad 'exp'",
    f"{GOOD};context=!!;bin=a;type=numeric": "ERROR:4:'context' invalid base64",
    f"{GOOD};context=kA==;bin=a;type=numeric": "ERROR:4:'context' invalid cdt context",
    f"{GOOD};indexdata=,numeric": "ERROR:4:'indexdata' missing bin name",
    f"{GOOD};indexdata=a": "ERROR:4:'indexdata' missing bin type",
    f"{GOOD};indexdata=a,": f"ERROR:4:bad 'indexdata' bin type - {TYPES}",
    f"{GOOD};indexdata=a,numeric,b": f"ERROR:4:bad 'indexdata' bin type - {TYPES}",
    "sindex-delete:": f"ERROR:4:missing 'indexname'{NO_NAMESPACE}",
    "sindex-delete:namespace=test": "ERROR:4:missing 'indexname'ok",
    "sindex-delete:indexname=x": NO_NAMESPACE,
    "sindex-delete:namespace=nosuch;indexname=x": "ok",
    "sindex-exists:": f"ERROR:4:missing 'indexname'{NO_NAMESPACE}",
    "sindex-exists:namespace=nosuch;indexname=x": NOT_FOUND,
    "sindex-exists:ns=test;indexname=x": "false",
    "sindex-stat:": f"ERROR:4:missing 'indexname'{NO_NAMESPACE}",
    "sindex-stat:ns=test": "ERROR:4:missing 'indexname'ERROR:201:no index",
    "sindex-stat:namespace=;indexname=x": "ERROR:20:missing 'namespace' value",
    "sindex-stat:namespace=nosuch;indexname=x": NOT_FOUND,
    "sindex-stat:namespace=test;indexname=x": "ERROR:201:no index",
    "sindex-list:": "",
    "sindex-list:ns=bar;b64=true": "",
    "sindex-list:b64=maybe;namespace=bar": "ERROR:4:bad b64",
    "sindex-list:namespace=nosuch": f"{NOT_FOUND};{NOT_FOUND}",
    # queries
    "query-show": "",
    "query-show:id=1": "ERROR:2:job not found",
    "query-show:trid=": "ERROR:4:missing 'id' value",
    "query-show:trid=abc": "ERROR:4:bad id",
    "query-abort:": "ERROR:4:missing 'id'",
    "query-abort:trid=1": "ERROR:2:id not active",
    "query-abort-all:": "number-of-queries-killed:0",
    "jobs:": UNRECOGNIZED,
    "scan-show": UNRECOGNIZED,
    # user-defined functions
    "udf-list": "",
    "udf-get:": "error=invalid_filename",
    "udf-get:filename=a.lua": "error=not_found",
    "udf-remove:filename=a.lua": "ok",
    "udf-put:filename=a.lua;content=QQ==;content-len=x;udf-type=LUA": "error=invalid_content_len",
    "udf-put:filename=a.lua;content=QQ==;content-len=4;udf-type=C": "error=invalid_udf_type",
    "udf-put:filename=a.lua;content=!!!!;content-len=4": "error=invalid_base64_content",
    "udf-put:filename=a;content=QQ==;content-len=4": "error=invalid_filename",
    "udf-put:filename=a.lua;content=;content-len=0": "error=invalid_base64_content",
    "udf-put:filename=a.lua;content=;content-len=4": "error=invalid_base64_content",
    "udf-put:filename=a.lua;content=!!!;content-len=3": "error=invalid_content_len",
    "udf-put:filename=a.lua;content=A;content-len=1": "error=invalid_content_len",
    "udf-put:filename=a.lua;content=QQ==;content-len=1": "error=invalid_content_len",
    "udf-put:filename=a.lua;content=QQ==": "error=invalid_content_len",
    "udf-put:filename=a.lua;content-len=4": "error=invalid_content",
    "udf-put:filename=a.lua": "error=invalid_content",
    "udf-put:filename=a.lua;content=IA==;content-len=0": "error=invalid_content",
    "udf-clear-cache": "ok",
    # a look inside
    "physical-devices:": "ERROR:4:missing 'path'",
    "physical-devices:path=/nosuch": "ERROR:2:no device info",
    "smd-show:": "ERROR:4:missing 'module'",
    "smd-show:module=nosuch": "ERROR:4:unknown 'module'",
    "debug-record:": NO_NAMESPACE,
    "debug-record-meta:": NO_NAMESPACE,
    "jem-stats:": "ok",
    # peers of a node on its own
    "peers-generation:x": "0",
    "peers-clear-std:generation=abc": "0,3000,[]",
    "services": "",
    "services-alumni": "",
}


@pytest.mark.parametrize("command", ANSWERS, ids=repr)
def test_the_answer(ask, command: str) -> None:
    assert ask(command) == ANSWERS[command]


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        (b"build", b""),
        (b"build\nnosuch", b"build\t8.1.2.0\n"),
        (b"\nbuild\n", b"\tERROR:4:unrecognized command\nbuild\t8.1.2.0\n"),
        (b"build\0\n", b"build\t8.1.2.0\n"),
        (b"\xff\xfe\n", b"\xff\xfe\tERROR:4:unrecognized command\n"),
        (b"build\nstatus\n", b"build\t8.1.2.0\nstatus\tok\n"),
    ],
)
def test_requests_of_several_and_of_broken_lines(node, body: bytes, reply: bytes) -> None:
    assert respond(node, node.connections[0], body) == reply


def test_an_empty_request_asks_for_a_summary(node) -> None:
    lines = respond(node, node.connections[0], b"").decode().splitlines()
    names = [line.partition("\t")[0] for line in lines]
    assert names[:4] == ["features", "node", "compatibility-id", "edition"]
    assert names[-1] == "partition-generation"
    assert len(names) == 15
    assert "build\t8.1.2.0" in lines


def test_help_names_every_command(ask) -> None:
    assert ask("help").split(";") == sorted(COMMANDS)


@pytest.mark.parametrize(
    ("context", "shown"),
    [
        ([0x10, 6, 0x10, 0], "[list_index(6), list_index(0)]"),
        ([0x10, -1, 0x11, 2], "[list_index(-1), list_rank(2)]"),
        ([0x20, 1, 0x21, 0], "[map_index(1), map_rank(0)]"),
        ([0x22, "\x03country"], "[map_key(<string#7>)]"),
        ([0x22, "key"], "[map_key(<string#3>)]"),
        ([0x22, "\x04ab", 0x23, 5], "[map_key(<blob#2>), map_value(5)]"),
        ([0x13, [1, 2], 0x13, {1: 2}], "[list_value(<list#2>), list_value(<map#1>)]"),
        (
            [0x13, None, 0x13, True, 0x13, 1.5],
            "[list_value(nil), list_value(true), list_value(1.5)]",
        ),
        ([0x162, 7], "[map_key(7)]"),
    ],
)
def test_the_context_of_an_index_is_shown_as_text(ask, context: list[object], shown: str) -> None:
    wire = base64.b64encode(as_msgpack.pack(context)).decode()
    index = f"namespace=test;indexname=i;bin=b;type=numeric;context={wire}"
    assert ask(f"sindex-create:{index}") == "ok"
    for command in ("sindex-list:", "sindex-list:namespace=test;b64=false", "sindex/test"):
        assert f":context={shown}:exp=null:" in ask(command)
    assert f":context={wire}:exp=null:" in ask("sindex-list:b64=true")


def test_a_definition_without_fault_is_accepted(ask) -> None:
    definitions = (
        "bin=a;type=STRING",
        "indexdata=a,numeric",
        "exp=k1ECoWE=;type=numeric",
        "context=kiKhYQ==;bin=m;type=geo2dsphere;indextype=MAPKEYS",
        "set=s;indextype=set",
    )
    for number, rest in enumerate(definitions):
        assert ask(f"sindex-create:namespace=test;indexname=y{number};{rest}") == "ok"
    rows = ask("sindex-list:b64=true").split(";")
    assert len(rows) == len(definitions)
    assert rows[3] == (
        "ns=test:indexname=y3:set=null:bin=m:type=geo2dsphere:indextype=mapkeys"
        ":context=kiKhYQ==:exp=null:state=WO"
    )
    assert rows[4] == "ns=test:indexname=y4:set=s:indextype=set"
