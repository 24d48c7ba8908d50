"""What takes several exchanges, written once for both faces.

A script is a generator. It yields effects (ask this node that, pause) and is sent what came of
them; a face runs it, waiting in its own way. An effect that fails is thrown into the script as a
`ClientError`.
"""
