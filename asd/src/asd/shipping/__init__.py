"""Change shipping: what changes here goes to other data centers, and to whoever follows changes."""
