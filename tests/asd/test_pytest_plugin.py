"""The pytest plugin: what a project gets by installing the server next to its tests."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import aerospike  # noqa: F401 - each run here would load this C extension anew and lose it again
import pytest

pytest_plugins = ["pytester"]

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project without a configuration of its own; warnings are errors there, too."""
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> Any:
    """Run the project's tests, in this process."""
    return project.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def run_apart(project: pytest.Pytester, *arguments: str) -> Any:
    """Run the project's tests in a process of their own, where nothing is loaded yet."""
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_a_client_is_connected_to_an_empty_server(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("visit", [1, 2])
        def test_counts(aerospike_client, visit):
            aerospike_client.increment(("test", "people", "ada"), "visits", 1)
            _, meta, bins = aerospike_client.get(("test", "people", "ada"))
            assert bins == {"visits": 1}
            assert meta["gen"] == 1
        """
    )
    run(project).assert_outcomes(passed=2)


def test_one_server_serves_the_session(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        addresses = set()

        def test_one(aerospike_server):
            addresses.add(aerospike_server.address)

        def test_two(aerospike_server, aerospike_session_server):
            addresses.add(aerospike_server.address)
            assert aerospike_server is aerospike_session_server
            assert len(addresses) == 1
        """
    )
    run(project).assert_outcomes(passed=2)


def test_a_clock_that_was_stepped_is_set_right(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import time
        import pytest

        @pytest.mark.parametrize("round", [1, 2])
        def test_expiry(aerospike_client, aerospike_server, round):
            clock = aerospike_server.clock
            assert not clock.frozen
            assert abs(clock.wall_ns() / 1e9 - time.time()) < 5
            aerospike_client.put(("test", None, 1), {"a": 1}, policy={"ttl": 60})
            clock.freeze()
            clock.advance(3600)
            assert aerospike_client.exists(("test", None, 1))[1] is None
        """
    )
    run(project).assert_outcomes(passed=2)


def test_namespaces_and_edition_are_ini_options(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nasd_namespaces = users cache\nasd_edition = community\n")
    project.makepyfile(
        """
        def test_options(aerospike_client):
            aerospike_client.put(("users", None, 1), {"a": 1})
            aerospike_client.put(("cache", None, 1), {"a": 1})
            (_, edition), *_ = aerospike_client.info_all("edition").values()
            assert "Community" in edition
        """
    )
    run(project).assert_outcomes(passed=1)


@pytest.mark.parametrize("in_thread", ["true", "false"])
def test_where_servers_run_is_an_ini_option(project: pytest.Pytester, in_thread: str) -> None:
    project.makeini(f"[pytest]\nasd_in_thread = {in_thread}\n")
    project.makepyfile(
        f"""
        import threading

        def test_it(aerospike_server, aerospike_secure_server):
            threads = [each for each in threading.enumerate() if each.name == "asd"]
            assert len(threads) == (2 if "{in_thread}" == "true" else 0)
        """
    )
    run(project).assert_outcomes(passed=1)


def test_calls_that_keep_the_interpreter_s_lock(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_truncate(aerospike_client):
            aerospike_client.put(("test", "people", 1), {"a": 1})
            aerospike_client.truncate("test", "people", 0)
            assert aerospike_client.exists(("test", "people", 1))[1] is None
        """
    )
    run(project).assert_outcomes(passed=1)


def test_workers_of_xdist_have_servers_of_their_own(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("round", range(6))
        def test_it(aerospike_client, round):
            aerospike_client.increment(("test", None, 1), "visits", 1)
            assert aerospike_client.get(("test", None, 1))[2] == {"visits": 1}
        """
    )
    run_apart(project, "-n", "2").assert_outcomes(passed=6)


def test_an_assertion_says_which_records_differ(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_it(aerospike_server):
            aerospike_server.load([{"set": "s", "key": 1, "bins": {"n": 1, "m": 1}}])
            before = aerospike_server.records()
            aerospike_server.load([{"set": "s", "key": 1, "bins": {"n": 2, "m": 1}}])
            aerospike_server.load([{"set": "s", "key": "new", "bins": {"x": "y"}}])
            assert aerospike_server.records() == before
        """
    )
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*records differ: - expected on the right, + there on the left",
            "*  'test' 's' 1",
            "*    - n = 1",
            "*    + n = 2",
            "*+ 'test' 's' 'new'",
            "*    + x = 'y'",
        ]
    )


def test_an_edition_that_is_none_is_named(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nasd_edition = professional\n")
    project.makepyfile("def test_it(aerospike_server): ...")

    result = run(project)

    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*asd_edition*professional*"])


def test_without_the_official_client_only_its_fixture_skips(project: pytest.Pytester) -> None:
    project.makeconftest("import sys; sys.modules['aerospike'] = None")
    project.makepyfile(
        """
        import socket

        def test_client(aerospike_client): ...

        def test_server(aerospike_server):
            socket.create_connection(aerospike_server.address).close()
        """
    )
    result = run_apart(project, "-rs")

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*the official client is not installed*"])


def test_the_ini_options_are_described(project: pytest.Pytester) -> None:
    said = run(project, "--help").stdout
    said.fnmatch_lines(["*asd_namespaces*", "*asd_edition*", "*asd_in_thread*"])


def test_a_project_that_does_not_use_it_does_not_load_the_server(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        """
        import sys

        def test_nothing_is_loaded():
            assert "asd.server" not in sys.modules
        """
    )
    run_apart(project).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "page", ["testing-with-asd.md", "testing-faults.md", "testing-records.md", "security.md"]
)
def test_the_manual_s_examples_run(project: pytest.Pytester, page: str) -> None:
    """Each Python block of the page is a test file, or a script, of its own."""
    blocks = (DOCS / page).read_text("utf-8").split("```python\n")[1:]
    examples = {
        f"test_example_{number}": as_test_file(block.split("```")[0])
        for number, block in enumerate(blocks)
    }
    project.makepyfile(**examples)

    outcomes = run_apart(project, "-v").parseoutcomes()

    assert outcomes.pop("passed") >= len(examples) > 0
    assert not outcomes


def as_test_file(example: str) -> str:
    if "def test_" in example:
        return example
    return "def test_script():\n" + textwrap.indent(example, "    ")
