"""The SMTP server on asyncio: listeners, connections, TLS, aiosmtpd's hooks."""
