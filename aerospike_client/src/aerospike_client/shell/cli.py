"""`python -m aerospike_client`: connects, and runs one command or a prompt."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from typing import Final

from aerospike_client.blocking.client import Client
from aerospike_client.errors import ClientError
from aerospike_client.shell import files
from aerospike_client.shell.arguments import UsageError, client_policy, line_parser
from aerospike_client.shell.output import Output
from aerospike_client.shell.prompt import lines
from aerospike_client.shell.session import Session, described

INTERRUPTED: Final = 130
"""What shells say of a command that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 refused or not to be had, 2 no such command, 130 interrupted."""
    arguments = line_parser().parse_args(argv)
    password = arguments.password
    if arguments.user and password is None:
        password = getpass.getpass(f"password of {arguments.user}: ")
    output = Output(print, as_json=arguments.json)
    try:
        key_password = files.secret(arguments.tls_keyfile_password)
        policy = client_policy(arguments, password, key_password)
        with Client(arguments.seeds, policy) as client:
            session = Session(client, output)
            if arguments.command:
                session.run(arguments.command)
                return 0
            return _converse(session, f"{arguments.seeds}> ")
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        files.forget_output()
        return 1
    except (ClientError, OSError) as error:
        print(described(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _converse(session: Session, prompt: str) -> int:
    """Lines until the input ends. Errors are told, and counted for scripts that are piped in."""
    failed = 0
    for text in lines(prompt, session.complete):
        try:
            if not session.line(text):
                break
        except BrokenPipeError:
            raise
        except (UsageError, ClientError, OSError) as error:
            print(described(error), file=sys.stderr)
            failed = 1
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
    return failed
