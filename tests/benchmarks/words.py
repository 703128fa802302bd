"""What is computed without any server: mails parsed, beside the stdlib and a compiled parser; status mails made (G7)."""

import email
import time
from base64 import encodebytes
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import default
from functools import partial
from importlib import import_module

import dkim
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mta.reading.body import extract_text
from mta.reading.mime import MailLimits, read_mail
from mta.sending.compose import MailIdentity, compose_notice
from mta.sending.sign import KeyKind, Signer, new_key
from sms.outcome import Refused
from sms.settings import Settings
from templates.render import Renderer
from tests.benchmarks.figures import Effort, Figure, Sample, microseconds
from tests.benchmarks.load import plain_mail
from tests.benchmarks.processes import ROOT
from tests.kit.status_samples import NOW, everything, notice

_COMPILED = "fast-mail-parser (Rust; keeps no words apart)"


def _timed(work: Callable[[], object], times: int) -> Callable[[], Sample]:
    def measure() -> Sample:
        began = time.process_time()
        for _ in range(times):
            work()
        return Sample(cpu=(time.process_time() - began) * 1e6 / times)

    return measure


def measure_parsing(effort: Effort) -> Iterator[Figure]:
    """Measure what it takes to find the words in a mail: ours also cuts signature, quotes and disclaimers."""
    compiled = _compiled()
    for name, mail, times in (
        ("plain, one part", plain_mail("<1@example.com>"), 300),
        ("Outlook, HTML and text", _outlook(), 100),
        ("1 MB attachment", _with_attachment(1 << 20), 5),
    ):
        count = effort.count(times, 3)
        sides = {"ours": _timed(partial(_ours, mail), count), "stdlib": _timed(partial(_stdlib, mail), count)}
        if compiled is not None:
            sides["compiled"] = _timed(partial(compiled, mail), count)
        series = effort.alternate(sides)
        what = f"CPU to find the words: {name} ({len(mail):,} octets)"
        own = series["ours"]
        yield Figure(
            name="parse",
            what=what,
            ours=microseconds(own),
            peer=f"stdlib policy.default {microseconds(series['stdlib'])}",
            ratio=own.cpu / series["stdlib"].cpu,
        )
        if compiled is None:
            yield Figure(name="parse", what=what, peer=_COMPILED, missing="pip install fast-mail-parser")
        else:
            yield Figure(
                name="parse",
                what=what,
                ours=microseconds(own),
                peer=f"{_COMPILED} {microseconds(series['compiled'])}",
                ratio=own.cpu / series["compiled"].cpu,
            )


def _compiled() -> Callable[[bytes], object] | None:
    try:
        parser = import_module("fast_mail_parser")
    except ImportError:
        return None
    parse: Callable[[bytes], object] = parser.parse_email
    return parse


def _outlook() -> bytes:
    return (ROOT / "tests" / "corpus" / "mails" / "outlook-new-de.eml").read_bytes()


def _with_attachment(octets: int) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = "anna@example.com", "+447700900123@sms.example.net"
    message["Subject"], message["Message-ID"] = "Delivery", "<2@example.com>"
    message.set_content("Your delivery 80012345 arrives today between 14:00 and 16:00.\n")
    message.add_attachment(encodebytes(bytes(range(256)) * (octets // 256)), "application", "pdf", filename="note.pdf")
    return message.as_bytes(policy=default.clone(linesep="\r\n"))


_LIMITS, _SETTINGS = MailLimits(), Settings()


def _ours(raw: bytes) -> str:
    mail = read_mail(raw, _LIMITS)
    assert not isinstance(mail, Refused), mail
    found = extract_text(mail, _SETTINGS, subject=mail.subject)
    assert not isinstance(found, Refused), found
    return found.text


def _stdlib(raw: bytes) -> str:
    message = email.message_from_bytes(raw, policy=default)
    body = message.get_body(preferencelist=("plain", "html"))
    assert isinstance(body, EmailMessage)
    return str(body.get_content())


def measure_status_mail(effort: Effort) -> Iterator[Figure]:
    """Measure G7 on a status mail of one recipient that has everything; each signature kind is verified once by dkimpy."""
    times = effort.count(60, 10)
    made = new_key("example.net", "bench", KeyKind.RSA)
    signer = Signer("example.net", "bench", made.private_pem)
    key = load_pem_private_key(made.private_pem, password=None)
    assert isinstance(key, RSAPrivateKey)
    identity = MailIdentity(
        from_name="SMS gateway",
        from_address="status@example.net",
        hostname="gateway.example.net",
        message_id_domain="example.net",
    )
    renderer = Renderer()
    job = notice(everything())

    def make() -> bytes:
        mail = compose_notice(job, identity=identity, renderer=renderer, now=NOW)
        assert mail is not None
        return mail.message

    composed = make()
    if not dkim.verify(signer.sign(composed), dnsfunc=lambda *_, **__: made.record_text.encode()):
        raise RuntimeError("dkimpy does not accept the signature")
    series = effort.alternate(
        {
            "whole": _timed(lambda: signer.sign(make()), times),
            "signing": _timed(lambda: signer.sign(composed), times),
            "rsa": _timed(lambda: key.sign(composed[:500], PKCS1v15(), SHA256()), times),
        },
    )
    rsa = series["rsa"]
    for what, side, goal in (
        ("a status mail rendered, built and signed", "whole", 2.2),
        ("its signature alone, verified by dkimpy", "signing", 1.15),
    ):
        yield Figure(
            name="G7",
            what=what,
            ours=microseconds(series[side]),
            peer=f"bare RSA-2048 operation {microseconds(rsa)}",
            ratio=series[side].cpu / rsa.cpu,
            goal=goal,
            at_most=True,
        )
