"""The SMTP dialogue without I/O: bytes in, events and replies out."""
