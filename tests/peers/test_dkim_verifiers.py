"""Our DKIM signatures as a verifier unrelated to dkimpy sees them: mailauth, of the npm registry."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from mta.sending.compose import MailIdentity, compose_notice
from mta.sending.fields import with_crlf
from mta.sending.sign import KeyKind, NewKey, Signer, new_key
from sms.settings import ReportFormat
from templates.render import Renderer
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer
from tests.kit.status_samples import NOW, everything, many, message, notice, report

FOLDER = Path(__file__).parent / "node_mail"
DOMAIN = "sms.example.net"
IDENTITY = MailIdentity(
    from_name="SMS Gateway", from_address=f"status@{DOMAIN}", hostname=DOMAIN, message_id_domain=DOMAIN
)
PLAIN = (
    b"From: SMS Gateway <status@sms.example.net>\r\nTo: anna@example.com\r\nSubject: Re: Lunch\r\n"
    b"Date: Mon, 23 Nov 2026 07:15:21 +0000\r\nMessage-ID: <st.1@sms.example.net>\r\n\r\nDelivered.\r\n"
)


@pytest.fixture(scope="module")
def keys() -> dict[KeyKind, NewKey]:
    return {kind: new_key(DOMAIN, f"{kind}-2026", kind) for kind in KeyKind}


def verdicts(keys: dict[KeyKind, NewKey], *mails: bytes) -> list[list[dict[str, str]]]:
    node = find_program("node")
    require_peer("node mailauth", node and (FOLDER / "node_modules" / "mailauth").is_dir())
    question = {
        "records": {key.record_name: key.record_text for key in keys.values()},
        "messages": [base64.b64encode(mail).decode() for mail in mails],
    }
    done = subprocess.run(
        [str(node), str(FOLDER / "verify.js")],
        input=json.dumps(question).encode(),
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    answer: list[list[dict[str, str]]] = json.loads(done.stdout)
    return answer


def sign(keys: dict[KeyKind, NewKey], kind: KeyKind, mail: bytes) -> bytes:
    return Signer(DOMAIN, f"{kind}-2026", keys[kind].private_pem).sign(mail, signed_at=NOW)


def mails() -> dict[str, bytes]:
    renderer = Renderer()
    dsn = report(message(notify="SUCCESS"), report_format=ReportFormat.DSN)
    composed = {
        "status": notice(),
        "everything": notice(everything()),
        "many": notice(many(500)),
        "spanish": notice(everything(language="es")),
        "dsn": notice(dsn),
        "utf8": notice(recipient="jürgen@example.com"),
    }
    result = {}
    for name, told in composed.items():
        mail = compose_notice(told, identity=IDENTITY, renderer=renderer, now=NOW)
        assert mail is not None
        result[name] = mail.message
    return result | {
        "no body": PLAIN.partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
        "blank lines at the end": PLAIN + b" \t \r\n\r\n\r\n",
        "a long last line without an end": PLAIN + b"x" * 3000,
        "runs of blanks": PLAIN + b"two  blanks\tand a tab \t \r\nend",
        "odd folds": PLAIN.replace(b"Lunch", b"Lunch\r\n\t  with\r\n Anna  "),
        "a subject twice": b"Subject: second\r\n" + PLAIN,
        "lone line feeds": with_crlf(PLAIN.replace(b"\r\n", b"\n")),
    }


@pytest.mark.parametrize("kind", KeyKind)
def test_mailauth_verifies_every_shape_of_mail(kind, keys):
    signed = {name: sign(keys, kind, mail) for name, mail in mails().items()}
    told = dict(zip(signed, verdicts(keys, *signed.values()), strict=True))
    assert told == {
        name: [{"result": "pass", "comment": "", "domain": DOMAIN, "selector": f"{kind}-2026"}] for name in signed
    }


def test_mailauth_verifies_both_signatures_of_one_mail(keys):
    twice = sign(keys, KeyKind.ED25519, sign(keys, KeyKind.RSA, PLAIN))
    assert [one["result"] for one in verdicts(keys, twice)[0]] == ["pass", "pass"]


def test_mailauth_sees_what_was_changed_later(keys):
    signed = sign(keys, KeyKind.RSA, PLAIN)
    changed = [signed + b"More.\r\n", b"From: eve@example.org\r\n" + signed, signed.replace(b"Lunch", b"Money")]
    assert all(one[0]["result"] != "pass" for one in verdicts(keys, *changed))
