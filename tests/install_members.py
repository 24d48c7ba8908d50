"""Install each package alone with plain pip into an empty environment, import all its modules, and
run the Python examples of its README.

Shared environments hide a dependency that a package forgot to name; empty ones do not.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import venv
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


def main() -> int:
    for member, folders in MEMBERS.items():
        with tempfile.TemporaryDirectory() as directory:
            venv.create(directory, with_pip=True)
            python = str(Path(directory) / "bin" / "python")
            install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*install, *(str(ROOT / folder) for folder in folders)], check=True)
            subprocess.run([python, "-I", "-c", IMPORT_ALL, member], check=True, cwd=directory)
            if member in EXAMPLE_NEEDS:
                subprocess.run([*install, *EXAMPLE_NEEDS[member]], check=True)
            for example in examples(member):
                subprocess.run(
                    [python, "-I", "-W", "error", "-c", example], check=True, cwd=directory
                )
            print(f"{member}: {len(examples(member))} examples of the README run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
