"""SMPP 3.4: the codec, the session without I/O, our client to carriers and the sandbox carrier."""
