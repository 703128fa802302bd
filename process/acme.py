"""The certificate of [acme]: what renews it, and what is shown until the first one is there."""

from random import random

from config.field_types import read_secret
from config.model import Config
from gateway.certificate_renewal import CertificateRenewal
from process.accept_path import AcceptPath
from tls.acme import AcmeAccount, check_available, write_private
from tls.selfsigned import make_self_signed


def build_renewal(config: Config, core: AcceptPath, owner: str) -> CertificateRenewal | None:
    """Return what keeps the certificate, None where no [acme] asks for one.

    Until there is one, listeners show one that we sign ourselves. Raises ContextError where the extra is missing,
    OSError where the files can't be written.
    """
    options, file = config.acme, config.acme_file
    if file is None:
        return None
    check_available()
    if not file.exists():
        made = make_self_signed(options.domains[0])
        write_private(file, made.key + made.certificate)
    account = AcmeAccount(
        directory=options.directory,
        key_file=file.with_name("account.key"),
        contact=options.contact,
        ca_file=options.ca_file,
        binding=(options.account_id, read_secret(options.account_key_file)) if options.account_key_file else None,
    )
    return CertificateRenewal(
        database=core.database,
        clock=core.clock,
        account=account,
        domains=options.domains,
        file=file,
        owner=owner,
        chance=random,
    )
