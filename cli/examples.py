"""One example for each command, as its help shows it. Not here: the commands."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

EXAMPLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "serve": "mail2sms serve --config /etc/mail2sms/mail2sms.toml",
        "check": "mail2sms check --config /etc/mail2sms/mail2sms.toml",
        "init": "mail2sms init gateway",
        "demo": "mail2sms demo --once",
        "erase": "mail2sms erase +447700900123",
        "explain": "mail2sms explain --from anna@example.com --to +447700900123@sms.example.net mail.eml",
        "queue": "mail2sms queue list",
        "status": "mail2sms status J.20261123T071500Z.4F7K2M",
        "health": "mail2sms health",
        "jobs": "mail2sms jobs --customer acme --state undelivered --since 2h",
        "cancel": "mail2sms cancel J.20261123T071500Z.4F7K2M",
        "inbound": "mail2sms inbound list --not-handed-over",
        "carrier": "mail2sms carrier test +447700900123 --carrier telco",
        "route": "mail2sms route +447700900123",
        "customer": "mail2sms customer add acme --domain example.com",
        "profile": "mail2sms profile set ops --customer acme sender_id=ACME priority=express",
        "user": "mail2sms user explain anna@example.com sender_id",
        "login": "mail2sms login add erp --customer acme --random-password-file erp.password",
        "portal": "mail2sms portal invite anna@example.com --customer acme --role administrator",
        "support": "mail2sms support answer R.20261130-103409.118-k3v9x2mqab --text-file answer.txt",
        "declaration": "mail2sms declaration add consent --text en=consent.md --everybody --due 30d --suspend",
        "senderid": "mail2sms senderid approve G.20261130-103409.118-k3v9x2mqab --until 2027-11-30",
        "people": "mail2sms people import people.csv --customer acme --dry-run",
        "dirsync": "mail2sms dirsync run staff --customer acme --dry-run",
        "archive": "mail2sms archive show --customer acme --month 2026-11",
        "audit": "mail2sms audit list --customer acme --since 24h",
        "tls": "mail2sms tls check example.com",
        "template": "mail2sms template preview result mail.html --customer acme --output page.html",
        "push": "mail2sms push list --state failed --customer acme",
        "dkim": "mail2sms dkim check example.com",
        "number": "mail2sms number list",
        "keyword": "mail2sms keyword list",
        "action": "mail2sms action list --customer acme",
        "stoplist": "mail2sms stoplist add +447700900123 --customer acme",
        "country": "mail2sms country show GB",
        "limits": "mail2sms limits show --customer acme",
        "list": "mail2sms list import crew members.csv --customer acme",
        "completion": "mail2sms completion bash",
    }
)
