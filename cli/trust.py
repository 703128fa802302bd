"""`mail2sms customer …`: what proves a customer's senders: ranges, logins, certificates, and under which TLS.

Not here: what is allowed (gateway.admin).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cli.admin_session import admin_session, read_password, verifiers_of
from cli.context import config_option
from cli.files import read_text
from cli.shapes import NAME, change_command
from cli.use_cases import customers, logins, ranges

if TYPE_CHECKING:
    from gateway.admin.edit import Changed, Edit

LOGIN: Final = click.argument("login")
BOUND: Final = (
    click.option("--service", metavar="mail|sap", help="The service of its mails; «» leaves that to the mail."),
    click.option("--profile", metavar="NAME", help="The profile of senders who are no users; «» for the default one."),
)
SET_LOGIN_HELP: Final = "Say of which service the mails of a login or certificate are, and which profile applies."
_FILE: Final = click.Path(path_type=Path)
_RANGE: Final = click.argument("network", metavar="CIDR")


@click.command("add-login")
@config_option
@NAME
@click.argument("login")
@click.option(
    "--password-file", required=True, metavar="FILE", type=click.Path(path_type=Path), help="Holds the password."
)
def give_login(file: Path, name: str, login: str, password_file: Path) -> None:
    """Add a login of a customer, or give it a new password."""
    with admin_session(file) as session:
        made = verifiers_of(read_password(password_file))
        session.change(lambda edit: logins.add_login(edit, login, made.password, customer=name, scram=made.scram))


@click.command("add-certificate")
@config_option
@NAME
@LOGIN
@click.option("--user", default="", metavar="ADDRESS", help="Whose certificate it is, if not the whole customer's.")
@click.option("--file", "certificate", type=_FILE, metavar="PEM", help="The certificate, which is known by its key.")
@click.option("--pin", metavar="HEX", help="The SHA-256 of its public key.")
@click.option("--subject", metavar="NAME", help="A name in it: subject, host or mail address; needs --ca.")
@click.option("--ca", type=_FILE, metavar="PEM", help="The authority that signed it itself; with --subject.")
@BOUND[0]
@BOUND[1]
def give_certificate(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    name: str,
    login: str,
    user: str,
    certificate: Path | None,
    pin: str | None,
    subject: str | None,
    ca: Path | None,
    service: str | None,
    profile: str | None,
) -> None:
    """Let a client certificate prove a customer, or one of its users; LOGIN is what it is called here."""
    verifier = _verifier(certificate, pin, subject, ca)
    with admin_session(file) as session:
        session.change(
            lambda edit: logins.add_certificate(
                edit, login, verifier, customer=name, user=user, service=service, profile=profile
            )
        )


def _verifier(certificate: Path | None, pin: str | None, subject: str | None, ca: Path | None) -> str:
    if [certificate, pin, subject].count(None) != 2 or (subject is None) != (ca is None):
        raise click.UsageError("one of these says which certificate it is: --file, --pin, or --subject with --ca")
    from tls.client_certificates import CertificateFault, bind_key, bind_name, bind_pin

    shown = certificate or ca or "--pin"
    try:
        if certificate is not None:
            return bind_key(read_text(certificate).encode())
        if subject is not None and ca is not None:
            return bind_name(read_text(ca).encode(), subject)
        return bind_pin(pin or "")
    except CertificateFault as fault:
        raise click.ClickException(f"{shown}: {fault}") from None


def _require_tls(edit: "Edit", name: str, state: str) -> "Changed":
    return customers.set_tls_required(edit, name, required=state == "on")


def _set_issuer(edit: "Edit", name: str, issuer: str, audience: str, claim: str) -> "Changed":
    from gateway.auth.tokens import is_available

    if issuer and not is_available():
        raise click.ClickException("tokens need the extra oidc: install mail2sms[oidc], then give the command again")
    return customers.set_identity_provider(edit, name, issuer, audience, claim)


TRUST_COMMANDS: Final[Sequence[click.Command]] = (
    change_command(
        "add-range",
        "Let clients in an address range send without a login.",
        ranges.add_range,
        NAME,
        _RANGE,
        click.option(
            "--shared", is_flag=True, help="Others send from there too: the sender's domain is proved as well."
        ),
        click.option("--tls-required", is_flag=True, help="Take no mail from there in clear."),
        *BOUND,
    ),
    change_command(
        "set-range",
        "Change what an address range says.",
        ranges.set_range,
        NAME,
        _RANGE,
        click.option("--shared/--not-shared", default=None, help="Whether others send from there too."),
        click.option("--tls-required/--no-tls-required", default=None, help="Whether no mail is taken in clear."),
        *BOUND,
    ),
    change_command(
        "remove-range", "Let an address range prove a customer no longer.", ranges.remove_range, NAME, _RANGE
    ),
    give_login,
    give_certificate,
    change_command("set-login", SET_LOGIN_HELP, logins.set_login, LOGIN, *BOUND),
    change_command(
        "remove-login", "Remove a login or certificate of a customer or of a user.", logins.remove_login, LOGIN
    ),
    change_command(
        "tls-required",
        "Take a customer's mail under TLS only, on every listener, or also in clear.",
        _require_tls,
        NAME,
        click.argument("state", type=click.Choice(["on", "off"])),
    ),
    change_command(
        "proof",
        "Choose which proofs let mail through: login, certificate, range, dkim, spf, arc; without KIND all.",
        customers.set_proofs,
        NAME,
        click.argument("kinds", nargs=-1, metavar="[KIND…]"),
    ),
    change_command(
        "arc-sealer",
        "Trust what a domain saw of the mails that it sealed (ARC), or no longer.",
        customers.set_arc_sealer,
        NAME,
        click.argument("action", type=click.Choice(["add", "remove"])),
        click.argument("domain"),
    ),
    change_command(
        "oidc",
        "Let tokens of the customer's OpenID Connect issuer be logins; without --issuer no token is.",
        _set_issuer,
        NAME,
        click.option("--issuer", default="", metavar="URL", help="As the token's «iss» says it; https."),
        click.option("--audience", default="", metavar="TEXT", help="What the token's «aud» must have."),
        click.option(
            "--claim", default="email", show_default=True, metavar="NAME", help="What names the user or the login."
        ),
    ),
)
