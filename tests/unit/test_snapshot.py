"""addressbook.snapshot: what it remembers is what it would say each time it is asked."""

from dataclasses import replace

from addressbook.hierarchy import Layers
from addressbook.lists import DistributionLists
from addressbook.options import Option
from addressbook.people import Customer, Directory
from addressbook.proof import Proof, ProofKind
from addressbook.senders import Principal, Sender
from addressbook.snapshot import Snapshot
from addressbook.suspensions import Suspension
from sms.message import Origin
from sms.outcome import Refusal, Refused

ANNA = "anna@acme.example.com"
ACME = Customer(key=1, name="acme", proofs=frozenset({ProofKind.LOGIN}), options=frozenset({Option.MAIL2SMS}))


def _snapshot(customer: Customer) -> Snapshot:
    return Snapshot(Directory(customers=[customer]), Layers(), DistributionLists())


def _proven(kind: ProofKind | None) -> Principal:
    return Principal(customer_id=1, proof=None if kind is None else Proof(kind=kind))


def test_a_sender_that_one_proof_lets_through_is_refused_by_another():
    book = _snapshot(ACME)
    for _ in range(2):
        assert isinstance(book.choose_sender(_proven(ProofKind.LOGIN), ANNA), Sender)
        refused = book.choose_sender(_proven(ProofKind.RANGE), ANNA)
        assert isinstance(refused, Refused)
        assert refused.detail == "This customer does not take the proof «range»."
        assert isinstance(book.choose_sender(_proven(None), ANNA), Sender)


def test_a_customer_of_an_older_snapshot_is_judged_as_it_was():
    suspended = replace(ACME, suspensions=(Suspension(reason="unpaid"),))
    book = _snapshot(suspended)
    for _ in range(2):
        assert book.services_of_mail(ACME, None) == (Origin.MAIL,)
        assert book.services_of_mail(suspended, None) == ()
        assert book.refuse_service(ACME, Origin.MAIL) is None
        refused = book.refuse_service(suspended, Origin.MAIL)
        assert refused is not None
        assert refused.refusal is Refusal.SUSPENDED
