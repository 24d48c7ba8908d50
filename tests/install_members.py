"""Install each package alone with plain pip into an empty environment, import all its modules, and
run the Python examples of its README.

Shared environments hide a dependency that a package forgot to name; empty ones do not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# A package and the packages of this repository it stands on, bottom first.
MEMBERS = {
    "citrusleaf": ["citrusleaf"],
    "aerospike_common": ["citrusleaf", "aerospike_common"],
    "storage": ["citrusleaf", "storage"],
    "cluster": ["citrusleaf", "aerospike_common", "cluster"],
    "aerospike_client": ["citrusleaf", "aerospike_common", "aerospike_client"],
    "asd": ["citrusleaf", "aerospike_common", "storage", "cluster", "aerospike_client", "asd"],
}

# What the example of a package's README needs besides.
EXAMPLE_NEEDS = {
    "asd": ["aerospike"],
    "aerospike_client": [str(ROOT / folder) for folder in ("storage", "cluster", "asd")],
}

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    if not name.endswith(".__main__") and name != "asd.pytest_plugin":
        importlib.import_module(name)
print(f"{sys.argv[1]}: {len(names)} modules import")
"""


def examples(member: str) -> list[str]:
    """The Python blocks of a package's README."""
    readme = (ROOT / member / "README.md").read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", readme, re.DOTALL)


def prove(member: str) -> str:
    """Install one, and try it; what was printed. Raises CalledProcessError, which has the rest."""
    said = []

    def run(*command: str, cwd: str | None = None) -> None:
        done = subprocess.run(command, check=True, cwd=cwd, text=True, capture_output=True)
        said.append(done.stdout)

    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True)
        python = str(Path(directory) / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run(*install, *(str(ROOT / folder) for folder in MEMBERS[member]))
        run(python, "-I", "-c", IMPORT_ALL, member, cwd=directory)
        if member in EXAMPLE_NEEDS:
            run(*install, *EXAMPLE_NEEDS[member])
        for example in examples(member):
            run(python, "-I", "-W", "error", "-c", example, cwd=directory)
    said.append(f"{member}: {len(examples(member))} examples of the README run")
    return "".join(said)


def main() -> int:
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        try:
            for said in threads.map(prove, MEMBERS):
                print(said, flush=True)
        except subprocess.CalledProcessError as error:
            print(error.stdout, error.stderr, error, sep="\n", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
