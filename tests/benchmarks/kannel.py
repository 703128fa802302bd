"""Kannel as people run it: bearerbox and smsbox, one SMPP link, an HTTP door in and a post-url out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.processes import Running, answers, program, running
from tests.kit.ports import free_port

_KANNEL = """\
group = core
admin-port = {admin}
admin-password = secret
admin-interface = 127.0.0.1
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
store-type = file
store-location = {folder}/kannel.store
dlr-storage = internal
log-level = 4

group = smsc
smsc = smpp
smsc-id = bench
host = 127.0.0.1
port = {carrier}
transceiver-mode = true
smsc-username = gateway
smsc-password = secret
system-type = ""
max-pending-submits = 100
reconnect-delay = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
http-request-retry = 10
http-queue-delay = 1
log-level = 4

group = sendsms-user
username = gateway
password = secret
concatenation = true
max-messages = 10

group = sms-service
keyword = default
{answer}
max-messages = 0
"""


@dataclass(frozen=True, slots=True)
class Kannel:
    """Both boxes, and the port of sendsms."""

    sendsms: int
    boxes: tuple[Running, Running]

    def cpu(self) -> float:
        """Return the CPU seconds of both."""
        return sum(box.cpu() for box in self.boxes)


@contextmanager
def kannel(folder: Path, carrier_port: int, *, post_url: str = "") -> Iterator[Kannel]:
    """Run both boxes; inbound SMS go to `post_url`, or nowhere."""
    bearerbox, smsbox = program("bearerbox", "kannel"), program("smsbox", "kannel")
    boxes, sendsms = free_port(), free_port()
    answer = f'post-url = "{post_url}"' if post_url else 'text = ""'
    file = folder / "kannel.conf"
    file.write_text(
        _KANNEL.format(
            admin=free_port(), boxes=boxes, sendsms=sendsms, carrier=carrier_port, folder=folder, answer=answer
        )
    )
    with running([bearerbox, "-v", "4", str(file)], log=folder / "bearerbox.log") as bearer:
        bearer.until(lambda: answers(boxes))
        with running([smsbox, "-v", "4", str(file)], log=folder / "smsbox.log") as sms:
            sms.until(lambda: answers(sendsms))
            yield Kannel(sendsms, (bearer, sms))
