"""The compiled twins of the hot modules: where they are, and how a start takes them.

`asd --compile` (`asd.process.compilation`) makes them from the same `.py` files; the `.pxd` files
beside these give types, never behaviour. They lie in a folder whose name says from which sources,
for which interpreter and how they were made: whatever differs has another folder, so a twin never
outlives its source. A wheel may carry such a folder in the package; else it is in the user's cache.
Code is loaded from there, so nobody but the user may have been able to write the cache.

An adapter: it reads the sources and the cache.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

MODULES: Final = (
    "asd.service.connection",
    "asd.fastpath.cache",
    "asd.fastpath.reads",
    "asd.fastpath.one_bin",
    "asd.fastpath.contract",
    "storage.memory",
    "storage.index",
    "storage.bulk",
    "storage.chains",
    "aerospike_common.as_msgpack_walk",
    "asd.bins.hll.registers",
    "asd.bins.cdt.answers",
    "asd.bins.cdt.containers",
    "asd.bins.cdt.context",
    "asd.bins.cdt.operation",
    "asd.bins.cdt.packed",
    "asd.bins.cdt.selection",
    "asd.bins.cdt.table",
    "asd.bins.bits",
    "asd.bins.op_table",
    "asd.bins.hll.operations",
    "asd.bins.hll.sketch",
    "asd.fastpath.collections",
    "asd.fastpath.operate",
    "asd.records.record",
    "asd.transactions.ops",
    "asd.transactions.outcome",
    "asd.transactions.read",
    "asd.transactions.transaction",
    "asd.transactions.write",
    "asd.measures.histogram",
    "asd.measures.turns",
)
"""What has a twin; those that take longest to compile come first."""

INLINE: Final = ("asd.fastpath.replies", "storage.direct")
"""What has no twin, but C functions in its `.pxd`, which twins take instead of its own."""

DIRECTIVES: Final = (
    "language_level=3",
    "annotation_typing=False",  # annotations stay what they are for Python: said, not enforced
    "nonecheck=True",  # None where an object is expected is an AttributeError, never a crash
    "binding=False",
    "auto_pickle=False",
)
"""What Cython is told."""

C_FLAGS: Final = ("-O2", "-fno-strict-aliasing", "-fwrapv", "-fPIC", "-DNDEBUG", "-w")
"""What the C compiler is told."""

SUFFIX: Final = EXTENSION_SUFFIXES[0]
"""How the file name of an extension module ends, for just this kind of interpreter."""

SHIPPED: Final = "twins"
"""The folder in the package `asd` for the twins that came with it (docs/compiled-twins.md)."""

CHECKSUMS: Final = "SHA256SUMS"
"""The file that names all others of a folder of twins; as `sha256sum` writes it."""

OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def sources() -> dict[str, bytes]:
    """Path in the packages (`asd/measures/turns.pxd`) -> content, of all that twins are made from.

    Raises OSError when they cannot be read, as from a package in an archive.
    """
    found = {}
    for module in (*MODULES, *INLINE):
        package, _, name = module.partition(".")
        place = name.replace(".", "/")
        for suffix in ("py", "pxd"):
            path = _home(package) / f"{place}.{suffix}"
            found[f"{package}/{place}.{suffix}"] = path.read_bytes()
    return found


def folder_for(made_from: Mapping[str, bytes]) -> Path:
    """Where the twins made from these sources are kept for this interpreter, if there are any.

    Raises OSError when the user has no place for caches.
    """
    return cache_folder() / _recipe(made_from, sys.version)


def shipped_for(made_from: Mapping[str, bytes]) -> str:
    """The name of the folder in `SHIPPED` for twins made from these sources. They were made on
    another machine, by an interpreter of the same kind."""
    return _recipe(made_from, SUFFIX)


def _recipe(made_from: Mapping[str, bytes], interpreter: str) -> str:
    """A name for all that twins are made from, and how."""
    recipe = (interpreter, SUFFIX, MODULES, DIRECTIVES, C_FLAGS, sorted(made_from.items()))
    return sha256(repr(recipe).encode()).hexdigest()[:32]


def cache_folder() -> Path:
    """The folder of all twins: in $XDG_CACHE_HOME, or in ~/.cache. Raises OSError: no home."""
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not caches.is_absolute():  # relative ones are to be ignored, says the XDG specification
        try:
            caches = Path.home() / ".cache"
        except RuntimeError as error:
            raise FileNotFoundError(str(error)) from None
    return (caches / "citrusleaf" / "compiled").resolve()


def distrust(folder: Path) -> str | None:
    """Why code is not loaded from there: somebody else may have changed it; None if nobody may.

    The folder and what is in it belong to the user, and only the user may write there. Nor may
    others exchange a folder above. Raises OSError.
    """
    user = os.geteuid()
    for path in (folder, *folder.iterdir()):
        status = path.lstat()
        if status.st_uid != user:
            return f"{path} belongs to another user"
        if status.st_mode & OTHERS_MAY_WRITE:
            return f"others may write to {path}"
    for parent in folder.parents:
        status = parent.stat()
        if status.st_uid not in (user, 0):
            return f"{parent} belongs to another user"
        if status.st_mode & OTHERS_MAY_WRITE and not status.st_mode & stat.S_ISVTX:
            return f"others may write to {parent}"
    return None


def usable(folder: Path) -> bool:
    """The twins of a folder are there, whole, and to be trusted."""
    try:
        return distrust(folder) is None and complete(folder)
    except (OSError, ValueError):  # not there; a list of checksums that is no text
        return False


def complete(folder: Path) -> bool:
    """All twins are there, each as it was made. Raises OSError when there is no such folder."""
    listed = (folder / CHECKSUMS).read_text("utf-8")
    return listed == checksums(folder)


def checksums(folder: Path) -> str:
    """A line for each twin: the SHA-256 of the file, and its name. Raises OSError."""
    names = [module + SUFFIX for module in MODULES]
    return "".join(f"{sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names)


def use() -> bool:
    """Import twins from here on, if there are twins of exactly these sources; True if so.

    None of the modules may have been imported before: all of them are twins, or none is. The
    environment's ASD_COMPILED=0 says not to. A cache that cannot be used is as none.
    """
    if os.environ.get("ASD_COMPILED") == "0" or not sys.modules.keys().isdisjoint(MODULES):
        return False
    twins = find_twins()
    if twins is None:
        return False
    sys.meta_path.insert(0, twins)
    return True


def in_use() -> bool:
    """The modules of this process are twins."""
    return any(isinstance(finder, Twins) for finder in sys.meta_path)


def find_twins() -> Twins | None:
    """The twins of these sources, loaded; None unless all is there, whole, and to be trusted."""
    shipped = _home("asd") / SHIPPED
    try:
        if shipped.is_dir():
            folder = shipped / shipped_for(sources())
            if folder.is_dir() and complete(folder):  # as much to be trusted as the package
                return Twins(folder)
        if not cache_folder().is_dir():
            return None
        folder = folder_for(sources())
        return Twins(folder) if usable(folder) else None
    except (OSError, ValueError, ImportError):
        return None


def _home(package: str) -> Path:
    """The folder of a package, which is not imported for it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"there is no package {package}")
    return Path(spec.origin).parent


class Twins:
    """The twins in a folder, found when they are imported (a finder of `sys.meta_path`).

    Raises ImportError when one of them cannot be loaded; none is executed before its import.
    """

    def __init__(self, folder: Path) -> None:
        self._specs = {name: self._spec(name, folder / (name + SUFFIX)) for name in MODULES}
        for spec in self._specs.values():
            module_from_spec(spec)

    @staticmethod
    def _spec(name: str, path: Path) -> ModuleSpec:
        loader = ExtensionFileLoader(name, str(path))
        spec = spec_from_file_location(name, path, loader=loader)
        assert spec is not None
        return spec

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The twin of a module; None for modules that have none."""
        return self._specs.get(fullname)
