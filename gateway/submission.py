"""What somebody wants sent, whatever door it came by: values only."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from addressbook.hierarchy import Resolved
from addressbook.proof import Proof
from addressbook.senders import Sender
from sms.esme import EsmeRequest
from sms.job import FirstUse
from sms.message import MailOrigin, Origin
from sms.number import SenderId
from sms.outcome import Refused
from sms.schedule import Blackout


class RecipientRequest(Struct, frozen=True, kw_only=True):
    """One recipient as asked for: the address or field as given, and the text of its number, or why it holds none.

    `sender_id` is that of this recipient alone in place of the settings': the number of ours that it wrote to. `values`
    fill the placeholders of a personalised text. `row` names the row of a table, in which any fault refuses the whole
    submission; it is empty elsewhere. `text` is its own in place of the submission's, and no template; `blackouts`
    stand in place of the submission's. `reference` is what its customer calls it.
    """

    given: str
    number: str
    refused: Refused | None = None
    notify: str = ""
    orcpt: str = ""
    sender_id: SenderId | None = None
    values: Mapping[str, str] | None = None
    row: str = ""
    text: str | None = None
    reference: str = ""
    blackouts: tuple[Blackout, ...] | None = None


class Submission(Struct, frozen=True, kw_only=True):
    """What is to be sent to whom, with the settings in force.

    `ignored_options` stood in its mail and did nothing.

    `digest` names its content among those of its sender; empty where repeats can't be told. One that is not
    `identified` by its sender but by its content alone is known for minutes, and until its client heard the answer. A
    `personalised` text has placeholders. A dry run is planned like any other and answered with the plan. A stop list
    does not hold back what is `past_stop`: the confirmation of a stop, and help. `proof` is what proved its sender,
    `service_by` what named its service. `first_use` is set where a signature proves its sender, `login` where it
    came by no mail, `esme` where an ESME submits it.
    """

    sender: Sender
    service: Origin
    wanted: tuple[RecipientRequest, ...]
    text: str
    resolved: Resolved
    mail: MailOrigin | None = None
    reference: str = ""
    ignored_options: tuple[str, ...] = ()
    digest: bytes = b""
    identified: bool = True
    start_at: datetime | None = None
    blackouts: tuple[Blackout, ...] = ()
    personalised: bool = False
    dry_run: bool = False
    sandbox: bool = False
    past_stop: bool = False
    proof: Proof | None = None
    service_by: str = ""
    first_use: FirstUse | None = None
    login: str = ""
    esme: EsmeRequest | None = None
