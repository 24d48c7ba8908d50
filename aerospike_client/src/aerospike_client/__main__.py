"""`python -m aerospike_client HOST:PORT [COMMAND ...]`: see `aerospike_client.shell`."""

from __future__ import annotations

import sys

from aerospike_client.shell.cli import main

if __name__ == "__main__":
    sys.exit(main())
