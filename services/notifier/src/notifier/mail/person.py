"""The two sides of a mail, and whether an address can stand in one."""

from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address

from convoke.contracts import Host, Invitee
from notifier.mail.text import ENCODED_WORD, line


@dataclass(frozen=True)
class Person:
    """A host or an invitee; `address` is None where theirs cannot be mailed."""

    name: str
    address: Address | None
    timezone: str
    locale: str

    @property
    def contact(self) -> str:
        """Name and address as a text shows them."""
        if self.address is None or self.name == self.address.addr_spec:
            return self.name
        return f"{self.name} ({self.address.addr_spec})"


def person(side: Host | Invitee) -> Person:
    name = line(side.name) or line(side.email)
    return Person(name, _address(name, side.email), side.timezone, side.locale)


def _address(name: str, email: str) -> Address | None:
    """Return the address as the standard library takes it, which refuses all that could end a header."""
    try:
        address = Address(name, addr_spec=email)
    except (ValueError, IndexError, HeaderParseError):
        return None
    fit = email.isascii() and ENCODED_WORD not in email and address.username and address.domain
    return address if fit else None
