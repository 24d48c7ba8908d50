"""A namespace: its engine, its sets, its rules of time and room, and what keeps it in order."""
