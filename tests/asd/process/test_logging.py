"""Log sinks: which lines reach which sink, in which form, and how that changes at run time."""

import json
import logging
import re
from collections.abc import Callable, Iterator

import pytest

from asd.config import LoggingConfig, LogSink, ServiceConfig
from asd.daemon import run
from asd.process.logging import (
    CONTEXTS,
    ROOTS,
    JsonFormatter,
    LogSinks,
    TextFormatter,
    context_of,
    formatter,
)


@pytest.fixture
def loggers() -> Iterator[None]:
    """The server's loggers, put back as they were."""
    before = [
        (logger, logger.handlers[:], logger.level, logger.propagate)
        for logger in map(logging.getLogger, ROOTS)
    ]
    yield
    for logger, handlers, level, propagate in before:
        for handler in logger.handlers:
            if handler not in handlers:
                handler.close()
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], loggers: None) -> Callable[[], str]:
    """What has been written to the console since the last call."""
    return lambda: capsys.readouterr().err


def attached(*sinks: LogSink, form: str = "text") -> LogSinks:
    made = LogSinks(LoggingConfig(sinks or (LogSink(),)))
    made.attach(formatter(ServiceConfig(), form))
    return made


def test_a_line_names_time_level_context_and_place(said) -> None:
    attached()
    logging.getLogger("asd.nsup").info("%d records", 3)
    assert re.fullmatch(
        r"[A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d GMT: INFO \(nsup\):"
        r" \(test_logging\.py:\d+\) 3 records\n",
        said(),
    )


def test_times_as_configured() -> None:
    record = logging.LogRecord("asd.as", logging.INFO, "x.py", 1, "hi", None, None)
    record.created = 1_600_000_000.5
    assert TextFormatter().format(record).startswith("Sep 13 2020 12:26:40 GMT: INFO (as): ")
    assert (
        TextFormatter(milliseconds=True).format(record).startswith("Sep 13 2020 12:26:40.500 GMT:")
    )
    local = TextFormatter(local_time=True).format(record)
    assert re.match(r"Sep 1[34] 2020 \d\d:\d\d:40 GMT[+-]\d{4}: INFO", local)


def test_structured_lines(said) -> None:
    attached(form="json")
    try:
        raise ValueError("no\nsense")
    except ValueError:
        logging.getLogger("asd.tsvc").exception("a request\nfailed")
    logging.getLogger("storage.ssd").critical("gone")
    first, second = map(json.loads, said().splitlines())
    assert first["level"] == "warning"
    assert first["context"] == "tsvc"
    assert first["message"] == "a request\nfailed"
    assert "ValueError: no\nsense" in first["exception"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first["time"])
    assert (second["level"], second["context"]) == ("critical", "drv-ssd")


def test_an_exception_is_in_json_also_behind_the_queue(loggers: None, tmp_path) -> None:
    """The queue makes text of it, which the line left out: the log told of no failure inside."""
    path = tmp_path / "asd.log"
    sinks = LogSinks(LoggingConfig((LogSink(str(path), {"any": "info"}),)))
    sinks.attach(formatter(ServiceConfig(), "json"), now_s=lambda: 0.0)
    try:
        raise ValueError("no sense")
    except ValueError:
        logging.getLogger("asd.tsvc").exception("a request failed")
    sinks.close()
    sinks._handlers[0].close()
    assert "ValueError: no sense" in json.loads(path.read_text("utf-8"))["exception"]


def test_each_sink_has_its_own_levels(said, tmp_path) -> None:
    path = tmp_path / "asd.log"
    sinks = attached(
        LogSink("", {"any": "warning"}), LogSink(str(path), {"any": "critical", "nsup": "debug"})
    )
    assert [sinks.name(0), sinks.name(1)] == ["stderr", str(path)]
    logging.getLogger("asd.nsup").debug("of nsup")
    logging.getLogger("asd.nsup").log(5, "too fine")
    logging.getLogger("asd.query").warning("of a query")
    console = said()
    assert "of a query" in console
    assert "of nsup" not in console
    assert "of nsup" in path.read_text()
    assert "of a query" not in path.read_text()
    assert "too fine" not in path.read_text()


def test_levels_change_at_run_time(said) -> None:
    sinks = attached()
    log = logging.getLogger("asd.tsvc")
    log.debug("before")
    sinks.set_level(0, "tsvc", "detail")
    assert log.isEnabledFor(5)
    log.log(5, "between")
    logging.getLogger("asd.nsup").debug("of another context")
    sinks.set_level(0, "any", "critical")
    log.warning("after")
    assert not log.isEnabledFor(logging.WARNING)
    assert re.findall(r"\S+$", said(), re.M) == ["between"]


def test_unknown_contexts_and_levels_are_refused() -> None:
    sinks = LogSinks(LoggingConfig())
    for context, level in (("nosuch", "info"), ("tsvc", "loud"), ("", "info")):
        with pytest.raises(ValueError, match="="):
            sinks.set_level(0, context, level)
    assert set(sinks.levels(0).values()) == {"info"}
    assert tuple(sinks.levels(0)) == CONTEXTS


def test_a_moved_file_is_opened_anew(loggers: None, tmp_path) -> None:
    path = tmp_path / "asd.log"
    attached(LogSink(str(path)))
    logging.getLogger("asd.as").info("first")
    path.rename(tmp_path / "asd.log.1")
    logging.getLogger("asd.as").info("second")
    assert "first" in (tmp_path / "asd.log.1").read_text()
    assert "second" in path.read_text()


def test_a_file_that_cannot_be_opened_is_said_so(loggers: None, tmp_path) -> None:
    with pytest.raises(OSError, match="nosuch"):
        attached(LogSink(str(tmp_path / "nosuch" / "asd.log")))


def test_asd_does_not_start_without_its_log(loggers: None, tmp_path, capsys) -> None:
    config = tmp_path / "asd.conf"
    config.write_text(
        f"namespace test {{ storage-engine memory }}\n"
        f"logging {{ file {tmp_path}/nosuch/asd.log {{ context any info }} }}\n"
    )
    assert run(["--config-file", str(config)]) == 1
    assert f"asd: cannot log to {tmp_path}/nosuch/asd.log: No such file" in capsys.readouterr().err


def test_attaching_again_replaces_the_sinks(said) -> None:
    attached()
    attached()
    logging.getLogger("asd.as").info("once")
    assert said().count("once") == 1


@pytest.mark.parametrize(
    ("logger", "context"),
    [
        ("asd.nsup", "nsup"),
        ("asd.node", "as"),
        ("asd.cluster", "clustering"),
        ("asd.service.connections", "service"),
        ("storage.ssd", "drv-ssd"),
        ("asd.batch_sub", "batch-sub"),
        ("asd.something", "misc"),
        ("asd", "misc"),
    ],
)
def test_contexts_of_loggers(logger: str, context: str) -> None:
    assert context_of(logger) == context


def test_json_is_one_line_whatever_is_said() -> None:
    text = "a\nb\u2028c\udcff"
    record = logging.LogRecord("asd.as", logging.INFO, "x.py", 1, "%s", (text,), None)
    line = JsonFormatter().format(record)
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == text


def test_what_is_not_text_does_not_hinder_a_file(loggers: None, tmp_path) -> None:
    path = tmp_path / "asd.log"
    attached(LogSink(str(path)))
    logging.getLogger("asd.as").info("set %s", "\udcff")
    assert path.read_text("utf-8").endswith("set \\udcff\n")
