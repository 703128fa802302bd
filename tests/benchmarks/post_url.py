"""`python -m tests.benchmarks.post_url SMTP-PORT FILE`: what people write behind Kannel's post-url: a mail for each POST.

A thread for each connection with an own connection to the mail server; appends a line to FILE for each mail that was taken.
Prints its port.
"""

import smtplib
import sys
import threading
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_own = threading.local()


def _mail(sender: str, text: str) -> bytes:
    message = EmailMessage()
    message["From"] = f"SMS {sender} <{sender}@sms.example.net>"
    message["To"] = "desk@example.com"
    message["Subject"] = f"SMS from {sender}"
    message["Message-ID"] = make_msgid(domain="sms.example.net")
    message.set_content(text)
    return message.as_bytes(policy=SMTP)


class _Poster(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mail_port: int
    record: Path

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8", "replace")
        client = getattr(_own, "client", None)
        if client is None:
            client = _own.client = smtplib.SMTP("127.0.0.1", self.mail_port)
        client.sendmail("sms@sms.example.net", ["desk@example.com"], _mail(self.headers["X-Kannel-From"] or "", text))
        with self.record.open("ab", buffering=0) as file:
            file.write(b"\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def main() -> None:
    """Serve until killed."""
    _Poster.mail_port, _Poster.record = int(sys.argv[1]), Path(sys.argv[2])
    ThreadingHTTPServer.request_queue_size = 1_000  # with the usual five, Kannel loses SMS
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Poster)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
