"""Which customers' accounts sign in to the portal at their identity provider, and who gets a role by that.

Which provider is a customer's says customers; not here: how somebody signs in there (gateway.portal.issuers).
"""

from addressbook.accounts import AccountState
from addressbook.people import Customer
from addressbook.rights import Role
from gateway.admin.accounts import role_at, subject_of
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, changed, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from store.engine.keys import to_stored
from store.portal_accounts import (
    PortalClient,
    add_account,
    find_account,
    find_portal_client,
    put_membership,
    put_portal_client,
    put_state,
)

_NOBODY = PortalClient("", "", "")


def set_portal_issuer(  # noqa: PLR0913 - what is stored
    edit: Edit, customer: str, *, portal: str = "", client: str = "", secret: str = "", role: str = ""
) -> Changed:
    """Let accounts of a customer sign in at its identity provider, where the portal is `client`; empty: no longer.

    `role` is that of somebody who has none at the customer yet; empty: nobody gets one by that. `portal` is the address
    with which links begin.
    """
    owner = get_customer(edit.tx, customer)
    provider = owner.identity_provider
    if client and provider is None:
        raise AdminFault(FaultCode.NO_ISSUER, customer=owner.name)
    asked = role_at(edit.tx, customer, role)[1].value if role else ""
    before, after = find_portal_client(edit.tx, owner.key) or _NOBODY, PortalClient(client, secret, asked)
    put_portal_client(edit.tx, owner.key, after)
    values = differences(*({"portal_client": found.name, "portal_role": found.role} for found in (before, after)))
    return edit.done(
        AuditAction.SET_PORTAL_ISSUER,
        Subject(owner.name, owner.key, values=values),
        customer=owner.name,
        issuer=provider.issuer if provider is not None else "",
        client=client,
        role=asked,
        redirect=way_back(portal, owner.key) if client else "",
    )


def way_back(portal: str, customer_key: int) -> str:
    """Return where a customer's identity provider sends a browser back to: an address that no other one has.

    So an answer that another provider caused is not taken for that of this one. RFC 9700 §4.4.2.2.
    """
    return f"{portal}/portal/sign-in/issuer/{customer_key}/back"


def admit_account(edit: Edit, address: str, *, customer: Customer, name: str) -> Changed:
    """Let the account of an address in that a customer's identity provider has proved.

    An account with a role there is active from then on. Who has none gets the one for newcomers, if there is one, and
    an account of that `name` where that is needed. Raises AdminFault for anybody else, an operator among them.
    """
    account, client = find_account(edit.tx, address), find_portal_client(edit.tx, customer.key)
    barred = account is not None and (account.is_operator or account.state is AccountState.DISABLED)
    role = account.role_at(customer.key) if account is not None else None
    if barred or client is None or not (role or client.role):
        raise AdminFault(FaultCode.NO_ACCOUNT, address=address, customer=customer.name)
    key = account.key if account is not None else edit.keys.take()
    if account is None:
        add_account(edit.tx, key, address, name, to_stored(edit.now))
    put_state(edit.tx, key, AccountState.ACTIVE)
    if role is not None:
        return changed(AuditAction.JOIN_ACCOUNT, address=address, customer=customer.name, role=role.value)
    given = Role(client.role)
    put_membership(edit.tx, key, customer.key, given)
    return edit.done(
        AuditAction.JOIN_ACCOUNT,
        subject_of(address, customer, account, given),
        address=address,
        customer=customer.name,
        role=given.value,
    )
