"""The password for a destination, from where the configuration says that it is. An adapter."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger("asd.xdr")


def read_password(where: str) -> str:
    """What is in a file (its path, or `file:PATH`) or a variable of the environment (`env:NAME`),
    without blanks around it; empty, and said in the log, when there is none."""
    if not where:
        return ""
    kind, colon, name = where.partition(":")
    try:
        if colon and kind == "env":
            return os.environ[name]
        path = name if colon and kind == "file" else where
        return Path(path).read_text("utf-8").strip()
    except KeyError:
        log.warning("auth-password-file: there is no variable %s in the environment", name)
    except (OSError, UnicodeDecodeError) as error:
        log.warning("auth-password-file %s cannot be read: %s", where, error)
    return ""
