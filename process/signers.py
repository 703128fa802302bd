"""The operator's DKIM keys as signers, all of them or none."""

from config.model import Config
from mta.sending.sign import Signer


class UnusableKeyError(ValueError):
    """A DKIM key of the operator's file can't sign; nothing is sent rather than sent unsigned."""


def load_signers(config: Config) -> tuple[Signer, ...]:
    """Return what signs our mail: every key of the domains that we write from, in the file's order.

    Raises UnusableKeyError for any key that can't be loaded, and where there are keys but none of the From domain.
    """
    signers = []
    for key in config.mail.dkim_keys:
        try:
            signers.append(Signer(key.domain, key.selector, key.key_file.read_bytes()))
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else str(error)
            raise UnusableKeyError(f"[[mail.dkim]] {key.domain}, {key.selector}: {key.key_file}: {cause}") from error
    domain = config.mail_from.rpartition("@")[2].lower()
    own = tuple(signer for signer in signers if signer.domain in {domain, config.number_domain})
    if signers and not any(signer.domain == domain for signer in own):
        raise UnusableKeyError(f"[[mail.dkim]]: none of the keys is of {domain}, from which status mails are sent")
    return own
