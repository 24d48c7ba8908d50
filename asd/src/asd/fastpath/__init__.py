"""Fast paths: hot kinds of request, answered in one function each."""
