"""The blocking face: for threads, scripts and everything that is not asyncio."""
