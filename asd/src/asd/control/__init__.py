"""Control of a running server by the tests that use it: what may be asked, and how it is reached.

The server's side is `commands` and `port`, the tests' `server_process`, `caller` and `clock`. The
latter are loaded by every process of tests and stay away from what only a server needs."""
