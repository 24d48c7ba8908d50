"""`asd --compile`: what it makes is used, answers as the plain modules do, and is refused when it
does not fit or when somebody else may have touched it."""

from __future__ import annotations

import fcntl
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from asd.process import compilation, compiled

TESTS = Path(__file__).resolve().parents[2]
SAID = "the request path is compiled"
WITHOUT_UVLOOP = "import sys; sys.modules['uvloop'] = None; from asd.__main__ import main; main()"


def python(*arguments: str, **environment: str) -> str:
    """What this interpreter prints in a process of its own."""
    command = [sys.executable, *arguments]
    environ = {**os.environ, **environment}
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environ
    ).stdout


def used(cache: Path, **environment: str) -> bool:
    """Does a process that has this cache use it?"""
    code = "from asd.process import compiled; print(compiled.use(), compiled.in_use())"
    answer = python("-c", code, XDG_CACHE_HOME=str(cache), **environment).split()
    assert answer[0] == answer[1]
    return answer[0] == "True"


def folder_in(cache: Path) -> Path:
    """The one folder of twins in a cache."""
    (folder,) = (cache / "citrusleaf" / "compiled").iterdir()
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the twins of this tree; test processes that run together share it."""
    try:
        compilation._find_c_compiler()
        compilation._find_headers()
    except compilation.CompilationError as error:
        pytest.skip(str(error))
    base = tmp_path_factory.getbasetemp()
    cache = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    cache.mkdir(mode=0o700, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        first = not (cache / "citrusleaf").exists()
        # What is looked at is what they do: without the optimizer they are made much sooner.
        said = python("-m", "asd", "--compile", XDG_CACHE_HOME=str(cache), CFLAGS="-O0")
    assert all((f"{module}: " in said) == first for module in compiled.MODULES)
    assert f"compiled: {folder_in(cache)};" in said
    return cache


@pytest.fixture
def cache(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as good until it is spoilt; this process looks there."""
    cache = shutil.copytree(built, tmp_path / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    assert compiled.folder_for(compiled.sources()) == folder_in(cache)
    assert compiled.complete(folder_in(cache))
    assert compiled.distrust(folder_in(cache)) is None
    return cache


# ------------------------------------------------------------------------------------ what is used


def test_the_server_uses_what_was_compiled(
    built: Path, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(built))
    for chosen in ("", "0"):
        monkeypatch.setenv("ASD_COMPILED", chosen)
        with running() as (process, _):
            process.terminate()
            assert (SAID in process.communicate()[1]) == (chosen != "0")
            assert process.returncode == 0


def test_what_is_compiled_is_not_compiled_again(built: Path) -> None:
    assert python("-m", "asd", "--compile", XDG_CACHE_HOME=str(built)).startswith("compiled: ")
    assert len(list((built / "citrusleaf" / "compiled").iterdir())) == 1  # nothing left over


def test_without_a_cache_the_modules_are_plain(tmp_path: Path) -> None:
    assert not used(tmp_path)
    assert not used(Path("relative"), HOME=str(tmp_path))


def test_all_are_twins_or_none_is(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asd.measures.histogram  # noqa: F401 - that it has been imported is what is tested

    monkeypatch.setenv("XDG_CACHE_HOME", str(built))
    assert not compiled.use()


@pytest.mark.parametrize("name", ["measures/histogram.pxd", "service/connection.py"])
def test_a_changed_source_has_no_twin(name: str, built: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(Path(compiled.__file__).parents[1], tmp_path / "asd")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    assert used(built, PYTHONPATH=path)  # where the sources are does not matter
    with (copy / name).open("a") as source:
        source.write("# another\n")
    assert not used(built, PYTHONPATH=path)


def test_twins_that_came_with_the_package_are_used(built: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(Path(compiled.__file__).parents[1], tmp_path / "asd")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    empty = tmp_path / "cache"
    assert not used(empty, PYTHONPATH=path)
    shipped = copy / compiled.SHIPPED / compiled.shipped_for(compiled.sources())
    shutil.copytree(folder_in(built), shipped)
    assert used(empty, PYTHONPATH=path)
    assert not used(empty, PYTHONPATH=path, ASD_COMPILED="0")
    with (shipped / f"asd.measures.turns{compiled.SUFFIX}").open("ab") as twin:
        twin.write(b"more")
    assert not used(empty, PYTHONPATH=path)
    assert used(built, PYTHONPATH=path)  # what the user has compiled is as good


@pytest.mark.parametrize("module", compiled.MODULES)
def test_the_types_name_every_attribute(module: str) -> None:
    """A compiled class has no attributes but those that its `.pxd` declares."""
    imported = importlib.import_module(module)
    text = Path(str(imported.__file__)).with_suffix(".pxd").read_text()
    for name, body in re.findall(r"^cdef class (\w+):\n((?:    .*\n|\n)+)", text, re.MULTILINE):
        lines = re.findall(r"^    cdef public (?:long long|\w+) (.*)", body, re.MULTILINE)
        declared = [attribute for line in lines for attribute in line.split(", ")]
        assert sorted(declared) == sorted(getattr(imported, name).__slots__)


def test_twins_have_the_types_of_their_declarations(built: Path) -> None:
    """The attributes of a compiled class are fields; without its `.pxd` they would be slots."""
    code = """
from asd.process import compiled
assert compiled.use()
from asd.measures.histogram import Histogram
from asd.service.connection import Connection
from storage.memory import MemoryEngine
kinds = [Histogram.pending, Connection.last_used_ns, MemoryEngine.index]
print(*[type(each).__name__ for each in kinds])
"""
    said = python("-c", code, XDG_CACHE_HOME=str(built), ASD_COMPILED="1").split()
    assert said == ["getset_descriptor"] * 3


# ---------------------------------------------------------------------------------- what it answers


@pytest.mark.parametrize("seed", range(2))
def test_compiled_and_plain_answer_alike(seed: int, built: Path) -> None:
    def played(compiled: str) -> list[str]:
        script = str(TESTS / "asd" / "process" / "mutated_frames.py")
        environment = {"XDG_CACHE_HOME": str(built), "ASD_COMPILED": compiled}
        return python(script, str(seed), "200", **environment).splitlines()

    (kind, *answers), (plain, *expected) = played("1"), played("0")
    assert (kind, plain) == ("compiled", "plain")
    assert answers == expected


def test_entries_come_in_order_however_alike_their_digests(built: Path) -> None:
    code = """
from asd.process import compiled
print(compiled.use())
from random import Random
from storage import MemoryEngine, bulk
random, engine = Random(1), MemoryEngine()
for number in range(300):
    engine.put(bytes(12) + random.randbytes(random.randrange(9)).ljust(8, b"x"), 1, 0, 5, 0, 0,
               b"%d" % number)
slots = bulk.partition_slots(engine.index, 0)
entries = bulk.entries_at(engine.index, slots)
ordered = bulk.entries_in_order(engine.index, slots)
print(ordered == sorted(entries) != entries, bulk.entries_in_order(engine.index, []))
starts, sizes = bulk.column(b"".join(entries), "location"), bulk.column(b"".join(entries), "size")
whole = [engine.get(entry[:20])[5] for entry in entries]
print(engine.payloads(starts, sizes) == whole, engine.payload_byte(starts, 0) == bytes(
    [payload[0] for payload in whole]))
print(engine.payloads(starts, sizes, skip=1) == [payload[1:] for payload in whole])
for slots in [[1 << 40], [-1]]:
    try:
        bulk.entries_in_order(engine.index, slots)
    except IndexError as error:
        print(error)
"""
    said = python("-c", code, XDG_CACHE_HOME=str(built), ASD_COMPILED="1").splitlines()
    outside = ["outside of the area"] * 2
    assert said == ["True", "True []", "True True", "True", *outside]


def conformance_player() -> ModuleType:
    """The module that plays recorded exchanges (tests are no package)."""
    path = TESTS / "conformance" / "player.py"
    spec = importlib.util.spec_from_file_location("player_for_compiled", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("start", [("-m", "asd"), ("-c", WITHOUT_UVLOOP)], ids=["fast", "asyncio"])
def test_the_recorded_answers_of_the_real_server(start: tuple[str, str], built: Path) -> None:
    player = conformance_player()
    spaces = ("--namespace", "test", "--namespace", "bar", "--edition", "community")
    with subprocess.Popen(
        [sys.executable, *start, "--service-port", "0", *spaces],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(built)},
    ) as process:
        assert process.stdout is not None
        connection = player.Player(("127.0.0.1", int(process.stdout.readline().rpartition(":")[2])))
        areas = ("kv", "batch", "malformed")
        problems = [connection.play(one) for area in areas for one in player.scenarios(area)]
        connection.close()
        process.terminate()
        assert SAID in process.communicate()[1]
    assert not any(problems)


# ---------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("mode", [0o020, 0o002])
@pytest.mark.parametrize(
    "spot",
    [
        lambda folder: folder / f"asd.measures.turns{compiled.SUFFIX}",
        lambda folder: folder / compiled.CHECKSUMS,
        lambda folder: folder,
        lambda folder: folder.parent,
        lambda folder: folder.parents[2],
    ],
    ids=["twin", "checksums", "folder", "above", "cache"],
)
def test_what_others_may_write_is_refused(
    spot: Callable[[Path], Path], mode: int, cache: Path
) -> None:
    path = spot(folder_in(cache))
    path.chmod(path.stat().st_mode | mode)
    assert compiled.find_twins() is None


def test_what_belongs_to_another_user_is_refused(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_in(built)
    assert compiled.distrust(folder) is None
    monkeypatch.setattr(compiled.os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert "belongs to another user" in str(compiled.distrust(folder))


def test_a_twin_that_is_a_link_is_refused(cache: Path, tmp_path: Path) -> None:
    twin = folder_in(cache) / f"asd.measures.turns{compiled.SUFFIX}"
    twin.symlink_to(twin.rename(tmp_path / "elsewhere"))
    assert compiled.find_twins() is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / f"asd.measures.turns{compiled.SUFFIX}").unlink(),
        lambda folder: os.truncate(folder / f"asd.measures.turns{compiled.SUFFIX}", 5000),
        lambda folder: (folder / compiled.CHECKSUMS).unlink(),
        lambda folder: (folder / compiled.CHECKSUMS).write_bytes(b"\xff"),
        lambda folder: (folder / compiled.CHECKSUMS).write_text(""),
        lambda folder: folder.rename(folder.with_name("building-x")),
    ],
    ids=["missing", "cut off", "no checksums", "bytes", "empty", "unfinished"],
)
def test_half_a_build_is_not_used(spoil: Callable[[Path], object], cache: Path) -> None:
    spoil(folder_in(cache))
    assert compiled.find_twins() is None


def test_a_twin_that_cannot_be_loaded_does_not_stop_the_server(cache: Path, running: Any) -> None:
    folder = folder_in(cache)
    (folder / f"asd.measures.turns{compiled.SUFFIX}").write_bytes(b"no library")
    (folder / compiled.CHECKSUMS).write_text(compiled.checksums(folder))
    with running() as (process, _):
        process.terminate()
        assert SAID not in process.communicate()[1]


# ---------------------------------------------------------------------------------- what is missing


@pytest.fixture
def compiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[], str]]:
    """A function that compiles into an empty cache, and gives what it complains of."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def complaint() -> str:
        assert compilation.run() == 1
        return capsys.readouterr().err

    yield complaint
    assert not list(tmp_path.rglob(f"*{compiled.SUFFIX}"))


def test_a_missing_c_compiler_is_said(
    compiling: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    assert "there is no C compiler" in compiling()
    monkeypatch.setenv("CC", "nocc -O1")
    assert "there is no C compiler" in compiling()


@pytest.mark.usefixtures("built")
class TestWithACompiler:
    """What is said when there is a C compiler, but not all the rest."""

    def test_missing_headers(
        self, compiling: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(compilation.sysconfig, "get_path", lambda name: str(tmp_path))
        assert f"no Python.h in {tmp_path}" in compiling()

    def test_missing_cython(
        self, compiling: Callable[[], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "Cython", None)
        assert "pip install cython" in compiling()

    def test_a_compiler_that_fails(
        self, compiling: Callable[[], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(compiled, "MODULES", ("asd.measures.turns",))
        monkeypatch.setenv("CC", f"{sys.executable} --no-such-option")
        assert "failed:\n" in compiling()

    def test_a_cache_that_would_be_refused(
        self, compiling: Callable[[], str], tmp_path: Path
    ) -> None:
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache").chmod(0o777)
        assert f"others may write to {tmp_path / 'cache'}" in compiling()
