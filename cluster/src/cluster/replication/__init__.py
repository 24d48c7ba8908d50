"""Records on their way: the fast lane, duplicates to resolve, the rw-hash, proxies."""
