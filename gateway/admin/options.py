"""Changes to what a customer has contracted. Not here: what each option lets it do (`Edit.check_option` asks)."""

from collections.abc import Collection

from addressbook.options import Option
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, changed, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from sms.facts import Fact


def set_options(edit: Edit, name: str, add: Collection[str] = (), remove: Collection[str] = ()) -> Changed:
    """Give options to a customer, and take others away; what needs one that is gone stays set up and does nothing."""
    customer = get_customer(edit.tx, name)
    before = edit.default_options if customer.options is None else customer.options
    after = (before | set(map(_option_named, add))) - set(map(_option_named, remove))
    options = tuple(sorted(after))
    if not add and not remove:
        return changed(AuditAction.SET_OPTIONS, customer=customer.name, options=options)
    edit.stored.set_options(customer.key, options)
    values = differences({"options": tuple(sorted(before))}, {"options": options})
    facts: dict[str, Fact] = {"customer": customer.name, "options": options}
    return edit.done(AuditAction.SET_OPTIONS, Subject(customer.name, customer.key, values=values), **facts)


def _option_named(text: str) -> Option:
    try:
        return Option(text.strip().lower())
    except ValueError:
        raise AdminFault(FaultCode.NO_OPTION, name=text) from None
