"""Run the tests on every supported Python that is installed here, with uvloop and without it.

Each Python gets an environment of its own (`.venv-3.12`, ...). A Python that is not here is named
and passed over.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13")


def find_uv() -> str:
    return os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")


def find_python(uv: str, version: str) -> str | None:
    """An interpreter that really runs (a version manager's stand-in may not)."""
    known = Path.home() / ".pyenv" / "versions"
    candidates = [str(path / "bin" / "python") for path in sorted(known.glob(version + ".*"))]
    found = subprocess.run(
        [uv, "python", "find", "--no-project", version], capture_output=True, text=True, check=False
    )
    candidates.append(found.stdout.strip())
    for python in candidates:
        if python and subprocess.run([python, "-c", ""], check=False).returncode == 0:
            return python
    return None


def run(uv: str, version: str, python: str, *, with_uvloop: bool) -> bool:
    folder = f".venv-{version}"
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(ROOT / folder)}
    environment.pop("VIRTUAL_ENV", None)

    def call(*command: str, check: bool = True) -> int:
        return subprocess.run(command, env=environment, cwd=ROOT, check=check).returncode

    call(uv, "sync", "--quiet", "--python", python)
    if not with_uvloop:
        call(uv, "pip", "uninstall", "--quiet", "uvloop", "--python", f"{folder}/bin/python")
    print(f"== Python {version}, {'uvloop' if with_uvloop else 'asyncio'}", flush=True)
    pytest = (f"{folder}/bin/python", "-m", "pytest", "-q", "-n", "auto", *sys.argv[1:])
    return call(*pytest, check=False) == 0


def main() -> int:
    uv = find_uv()
    failed = []
    for version in VERSIONS:
        python = find_python(uv, version)
        if python is None:
            print(f"== Python {version} is not installed here: passed over", flush=True)
            continue
        failed += [
            f"{version} {'uvloop' if with_uvloop else 'asyncio'}"
            for with_uvloop in (True, False)
            if not run(uv, version, python, with_uvloop=with_uvloop)
        ]
    print("failed: " + ", ".join(failed) if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
