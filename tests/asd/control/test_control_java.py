"""The manual's example in Java compiles and does what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"
JAVA = shutil.which("java")

PROGRAM = """
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

class Use {
    String place;

    DECLARATIONS

    void run() throws Exception {
        CALL
        System.out.println(control("status", "{}"));
    }

    public static void main(String[] arguments) throws Exception {
        var use = new Use();
        use.place = arguments[0];
        use.run();
    }
}
"""


@pytest.mark.skipif(
    JAVA is None or shutil.which("javac") is None, reason="the Java compiler is not installed"
)
def test_a_project_in_java(tmp_path: Path) -> None:
    page = (DOCS / "testing-control.md").read_text("utf-8")
    (block,) = re.findall(r"```java\n(.*?)```", page, re.S)
    declarations, call = block.rstrip().rsplit("\n\n", 1)
    program = PROGRAM.replace("DECLARATIONS", declarations).replace("CALL", call)
    (tmp_path / "Use.java").write_text(program)
    assert JAVA is not None
    command = [sys.executable, "-m", "asd", "--service-port", "0", "--control", "0", "--until-eof"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        place = server.stdout.readline().split()[2]
        assert server.stdout.readline().startswith("asd ready ")
        done = subprocess.run(
            [JAVA, "-XX:TieredStopAtLevel=1", "Use.java", place],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert server.stdin is not None
        server.stdin.close()
    assert (done.returncode, done.stderr) == (0, "")
    monotonic = re.search(r'"monotonic_ns":(\d+)', done.stdout)
    assert monotonic is not None
    assert int(monotonic[1]) > 3600 * 10**9  # the clock was advanced
