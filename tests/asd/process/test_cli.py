"""The command line."""

import pytest

from asd.config import Edition
from asd.process.cli import CommandLineError, Options, build_config, check_config, parse_arguments


def config_of(*arguments: str):
    return build_config(parse_arguments(arguments))


def test_without_arguments():
    config = config_of()
    assert list(config.namespaces) == ["test"]
    test = config.namespaces["test"]
    assert (test.storage_engine.engine, test.nsup_period, test.replication_factor) == (
        "memory",
        120,
        1,
    )
    assert config.network.service.address == ("127.0.0.1",)
    assert config.network.service.port == 3000
    assert config.edition is Edition.ENTERPRISE
    assert parse_arguments([]) == Options()


def test_everything_said():
    config = config_of(
        *("--service-address", "0.0.0.0", "--service-port", "0", "--edition", "community"),
        *("--namespace", "bar", "--namespace", "test:memory"),
    )
    assert list(config.namespaces) == ["bar", "test"]
    assert config.network.service.address == ("0.0.0.0",)
    assert config.network.service.port == 0
    assert config.community


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--service-port", "70000"], "'70000' is no port: expected 0 to 65535"),
        (["--service-port", "-1"], "is no port"),
        (["--service-port", "²"], "is no port"),
        (["--namespace", "test:flash:/tmp/x"], "the engines of this server: memory, device"),
        (["--namespace", "test:ssd"], "needs at least one file or device"),
        (["--namespace", ""], "1 to 31 bytes"),
        (["--namespace", "a b"], "is no name"),
        (["--edition", "federal"], "'community', 'enterprise'"),
        (["--config-file", "a", "--check-config", "b"], "not allowed with"),
        (["--config", "a"], "unrecognized arguments"),
    ],
)
def test_wrong_arguments(arguments, expected, capsys):
    with pytest.raises(SystemExit) as caught:
        parse_arguments(arguments)
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert expected.replace("'", "") in message.replace("'", "")


def test_help_and_version(capsys):
    for argument in ("--help", "--version"):
        with pytest.raises(SystemExit) as caught:
            parse_arguments([argument])
        assert caught.value.code == 0
    output = capsys.readouterr().out
    assert "--check-config FILE" in output
    assert "\nasd " in output


def test_a_file_with_changes(tmp_path):
    path = tmp_path / "a.conf"
    path.write_text("network { service { port 4000 } }\nnamespace x { }\n")
    config = config_of("--config-file", str(path), "--service-port", "0", "--namespace", "y")
    assert list(config.namespaces) == ["x", "y"]
    assert config.network.service.port == 0
    assert config.network.service.address == ("any",)
    with pytest.raises(CommandLineError, match="namespace 'x' is given twice"):
        config_of("--config-file", str(path), "--namespace", "x")


def test_files_that_cannot_be_used(tmp_path):
    missing = tmp_path / "missing.conf"
    with pytest.raises(CommandLineError, match=r"missing.conf: No such file"):
        config_of("--config-file", str(missing))
    wrong = tmp_path / "wrong.conf"
    wrong.write_text("namespace x {\n  max-ttl 1\n}\n")
    with pytest.raises(CommandLineError, match=r"wrong.conf:2: 'max-ttl' is obsolete"):
        config_of("--config-file", str(wrong))


def test_check_config(tmp_path, capsys):
    path = tmp_path / "a.conf"
    path.write_text("service {\n  service-threads 9\n}\nnamespace x { }\n")
    assert check_config(path, Edition.ENTERPRISE) == 0
    output = capsys.readouterr().out.splitlines()
    assert output[0].startswith(f"{path}:2: 'service-threads' is accepted for compatibility,")
    assert output[1] == "OK: namespaces x (memory); clients on any, port 3000"
    path.write_text("namespace x {\n")
    assert check_config(path, Edition.ENTERPRISE) == 1
    assert "'namespace x {' is never closed" in capsys.readouterr().err
    path.write_bytes(b"namespace \xff { }\n")
    assert check_config(path, Edition.ENTERPRISE) == 1
    assert capsys.readouterr().err == f"{path}: byte 10 is not UTF-8 text\n"
