"""The desk from which the portal's pages ask and change: the same use cases as the command line's.

Not here: any use case (gateway.admin), who may ask what (addressbook.rights).
"""

from dataclasses import dataclass

from gateway.admin.office import AdminOffice
from gateway.applications import Applications
from gateway.portal.sign_in import SignIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk(AdminOffice):
    """What all pages share. `address` is where people reach the portal, such as https://sms.example.net."""

    applications: Applications
    sign_in: SignIn
    address: str
