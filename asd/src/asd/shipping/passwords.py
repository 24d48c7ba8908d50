"""The password for a destination, from the file that the configuration names. An adapter."""

from __future__ import annotations

import logging
from pathlib import Path

log = logging.getLogger("asd.xdr")


def read_password(path: str) -> str:
    """The file's text, without blanks around it; empty, and said in the log, when there is none."""
    if not path:
        return ""
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        log.warning("auth-password-file %s cannot be read: %s", path, error)
        return ""
