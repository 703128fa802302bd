"""The SMTP server: a dialogue without I/O, and the asyncio side around it."""
