"""The protocols between server and users' functions, played through with a toy of each.

The language has functions of one expression of Python: `name: expression`, one a line.
"""

import pytest

from aerospike_common import AsArraylist, AsString, from_python, to_python
from aerospike_common.as_aerospike import AsAerospike
from aerospike_common.as_list import AsList
from aerospike_common.as_logger import AsLogLevel
from aerospike_common.as_memtracker import AsMemoryLimitError, AsMemtracker
from aerospike_common.as_module import AsModule, AsModuleError, AsUdfContext
from aerospike_common.as_rec import AsRec
from aerospike_common.as_result import AsResult
from aerospike_common.as_stream import IterableStream, values_of
from aerospike_common.as_timer import AsTimer
from citrusleaf.cf_clock import VirtualClock


class ToyRecord:
    """A record of a dict."""

    def __init__(self, digest=bytes(20), **bins):
        self.bins = {name: from_python(value) for name, value in bins.items()}
        self.identity = digest
        self.lifetime_s = 0

    def get(self, bin_name):
        return self.bins.get(bin_name)

    def set(self, bin_name, value):
        if len(bin_name) > 15:
            raise ValueError(bin_name)
        self.bins[bin_name] = value

    def remove(self, bin_name):
        self.bins.pop(bin_name, None)

    def bin_names(self):
        return list(self.bins)

    def numbins(self):
        return len(self.bins)

    def digest(self):
        return self.identity

    def setname(self):
        return None

    def gen(self):
        return 1

    def ttl(self):
        return self.lifetime_s

    def set_ttl(self, ttl_s):
        self.lifetime_s = ttl_s


class ToyAerospike:
    """Records by digest, and the lines logged."""

    def __init__(self):
        self.records = {}
        self.lines = []

    def rec_create(self, record):
        if self.rec_exists(record):
            return 1
        self.records[record.digest()] = record
        return 0

    def rec_update(self, record):
        return 0 if self.rec_exists(record) else -2

    def rec_remove(self, record):
        return 0 if self.records.pop(record.digest(), None) else 1

    def rec_exists(self, record):
        return record.digest() in self.records

    def log(self, level, message):
        self.lines.append((level, message))

    def get_current_time(self):
        return 0


class ToyModule:
    """The toy language."""

    def __init__(self):
        self.files = {}

    def configure(self, settings):
        if settings:
            raise ValueError(f"unknown: {list(settings)}")

    def validate(self, file_name, source):
        self._compiled(file_name, source)

    def update(self, file_name, source):
        if source is None:
            self.files.pop(file_name, None)
        else:
            self.files[file_name] = self._compiled(file_name, source)

    def apply_record(self, context, module, function, record, arguments):
        return self._call(context, module, function, record, *arguments)

    def apply_stream(self, context, module, function, source, arguments, sink):
        for value in values_of(source):
            result = self._call(context, module, function, value, *arguments)
            if not result:
                return result
            sink.write(result.value)
        return AsResult.success(from_python(None))

    def _compiled(self, file_name, source):
        functions = {}
        for number, line in enumerate(source.decode().splitlines(), 1):
            name, _, expression = line.partition(":")
            try:
                functions[name] = compile(expression.strip(), file_name, "eval")
            except SyntaxError as error:
                raise AsModuleError(file_name, number, error.msg) from None
        return functions

    def _call(self, context, module, function, subject, *arguments):
        code = self.files.get(module, {}).get(function)
        if code is None:
            return AsResult.failure(AsString("function not found"))
        if context.timer.expired():
            return AsResult.failure(AsString("UDF Execution Timeout"))
        try:
            context.memtracker.reserve(1)
            names = {"r": subject, "a": arguments, "db": context.aerospike, "py": to_python}
            return AsResult.success(from_python(eval(code, names)))
        except (AsMemoryLimitError, LookupError, TypeError, ValueError) as error:
            return AsResult.failure(AsString(str(error)))


SOURCE = b"""\
total: py(r.get('a')) + sum(map(py, a))
create: [db.rec_create(r), db.rec_create(r), db.rec_exists(r), db.rec_remove(r)]
long: r.set('a' * 16, a[0])
double: 2 * py(r)
log: db.log(2, 'hello')
"""


@pytest.fixture
def world():
    """A module with SOURCE as `toy`, a context, and its clock."""
    module: AsModule = ToyModule()
    module.configure({})
    module.update("toy", SOURCE)
    clock = VirtualClock()
    database: AsAerospike = ToyAerospike()
    context = AsUdfContext(database, AsTimer(clock, timeout_ms=1000), AsMemtracker(limit=3))
    return module, context, clock


def apply(world, function, record: AsRec, arguments: AsList | None = None):
    module, context, _ = world
    return module.apply_record(context, "toy", function, record, arguments or AsArraylist())


def test_a_function_of_a_record(world):
    arguments = from_python([1, 2])
    assert apply(world, "total", ToyRecord(a=39), arguments).unwrap() == from_python(42)


def test_a_function_asks_the_database(world):
    result = apply(world, "create", ToyRecord())
    assert to_python(result.unwrap()) == [0, 1, True, 0]
    assert apply(world, "log", ToyRecord())
    assert world[1].aerospike.lines == [(AsLogLevel.INFO, "hello")]


def test_failures_are_results(world):
    arguments = from_python([1])
    assert apply(world, "nothing", ToyRecord()).value == AsString("function not found")
    assert apply(world, "long", ToyRecord(), arguments).value == AsString("a" * 16)
    assert not apply(world, "long", ToyRecord(), AsArraylist())


def test_bounds_are_failures(world):
    for _ in range(3):
        assert apply(world, "total", ToyRecord(a=1))
    assert apply(world, "total", ToyRecord(a=1)).value == AsString("4 bytes, limit 3")
    world[2].advance(1)
    assert apply(world, "total", ToyRecord(a=1)).value == AsString("UDF Execution Timeout")


def test_a_function_of_a_stream(world):
    module, context, _ = world

    class Sink:
        values: list = []  # noqa: RUF012 - one sink in one test
        write = values.append

    source = IterableStream([from_python(1), from_python("ab")])
    assert module.apply_stream(context, "toy", "double", source, AsArraylist(), Sink)
    assert Sink.values == [from_python(2), from_python("abab")]


def test_broken_source_changes_nothing(world):
    module, _, _ = world
    with pytest.raises(AsModuleError, match=r"^toy:2: ") as caught:
        module.update("toy", b"good: 1\nbad: (")
    assert (caught.value.file_name, caught.value.line) == ("toy", 2)
    with pytest.raises(AsModuleError):
        module.validate("other", b"bad: (")
    assert apply(world, "total", ToyRecord(a=1))
    module.update("toy", None)
    assert not apply(world, "total", ToyRecord(a=1))
    with pytest.raises(ValueError, match="unknown"):
        module.configure({"cache": "yes"})
