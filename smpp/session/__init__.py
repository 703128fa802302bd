"""One SMPP session without I/O, shared by client and server."""
