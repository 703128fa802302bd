"""The kinds of field in SMPP PDUs, each with its bounds and the status that answers a violation.

Without `strict`, a field is read as far as possible: longer than its bound, or without its end.

Not here: which PDU has which fields (pdu) and optional parameters (tlv). Standard: SMPP 3.4 §3.1 and §5.2.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from smpp.wire.statuses import Status, status_name


class PduError(Exception):
    """Bytes or values that are no valid PDU; `status` is the command_status of the answer.

    `command` and `sequence` are those of the PDU at fault, None if it has none (yet).
    """

    def __init__(self, status: int, detail: str, *, command: int | None = None, sequence: int | None = None) -> None:
        super().__init__(f"{detail}: {status_name(status)}")
        self.status = status
        self.detail = detail
        self.command = command
        self.sequence = sequence


class Address(NamedTuple):
    """One SME address of a submit_multi (§4.5.1.1)."""

    ton: int
    npi: int
    address: str


class ListName(NamedTuple):
    """One distribution list of a submit_multi (§4.5.1.2)."""

    name: str


class UnsuccessfulAddress(NamedTuple):
    """One address that a submit_multi did not reach, and why (§4.5.2.1)."""

    ton: int
    npi: int
    address: str
    error_status_code: int


class FieldKind(Protocol):
    """Writes and reads one mandatory field; both raise only PduError."""

    def encode(self, name: str, value: object) -> bytes:
        """Return the field's octets."""

    def decode(self, name: str, data: bytes, offset: int, *, strict: bool = True) -> tuple[object, int]:
        """Return the value at the offset, and the offset behind it."""


@dataclass(frozen=True, slots=True)
class Integer:
    """An unsigned big-endian integer of `size` octets."""

    size: int = 1
    status: Status = Status.RSYSERR

    def encode(self, name: str, value: object) -> bytes:
        """Return the octets; a value that does not fit is refused."""
        if not isinstance(value, int) or not 0 <= value < 1 << 8 * self.size:
            raise PduError(self.status, f"{name} does not fit {self.size} octets")
        return value.to_bytes(self.size, "big")

    def decode(self, name: str, data: bytes, offset: int, *, strict: bool = True) -> tuple[int, int]:  # noqa: ARG002
        """Return the integer and the offset behind it; one that is cut off cannot be read."""
        end = offset + self.size
        if end > len(data):
            raise PduError(Status.RINVCMDLEN, f"{name} is cut off")
        return int.from_bytes(data[offset:end], "big"), end


@dataclass(frozen=True, slots=True)
class CString:
    """A C-octet string of at most `limit` octets with its NUL; Latin-1 in both directions, so that no octet is lost.

    The limit of a `loose` one binds only who assigns it: names, passwords and ids may have any length here.
    """

    limit: int
    status: Status = Status.RSYSERR
    loose: bool = False

    def encode(self, name: str, value: object) -> bytes:
        """Return the octets with the NUL; too long, NUL inside and characters beyond Latin-1 are refused."""
        if not isinstance(value, str) or "\0" in value:
            raise PduError(self.status, f"{name} has a NUL")
        if len(value) >= self.limit and not self.loose:
            raise PduError(self.status, f"{name} is longer than {self.limit - 1} characters")
        try:
            return value.encode("latin-1") + b"\0"
        except UnicodeEncodeError:
            raise PduError(self.status, f"{name} has a character beyond Latin-1") from None

    def decode(self, name: str, data: bytes, offset: int, *, strict: bool = True) -> tuple[str, int]:
        """Return the text without the NUL and the offset behind it."""
        end = data.find(b"\0", offset)
        if end < 0 and strict:
            raise PduError(Status.RINVCMDLEN, f"{name} does not end")
        if end < 0:
            return data[offset:].decode("latin-1"), len(data)
        if strict and end - offset >= self.limit and not self.loose:
            raise PduError(self.status, f"{name} does not end within {self.limit} octets")
        return data[offset:end].decode("latin-1"), end + 1


@dataclass(frozen=True, slots=True)
class ShortMessage:
    """sm_length and short_message together, 0 to 254 octets (§5.2.21, §5.2.22)."""

    limit: int = 254

    def encode(self, name: str, value: object) -> bytes:
        """Return the length octet and the octets."""
        if not isinstance(value, bytes) or len(value) > self.limit:
            raise PduError(Status.RINVMSGLEN, f"{name} is longer than {self.limit} octets")
        return bytes((len(value),)) + value

    def decode(self, name: str, data: bytes, offset: int, *, strict: bool = True) -> tuple[bytes, int]:
        """Return the octets and the offset behind them."""
        if offset >= len(data):
            raise PduError(Status.RINVCMDLEN, "sm_length is cut off")
        end = offset + 1 + data[offset]
        if strict and (data[offset] > self.limit or end > len(data)):
            raise PduError(Status.RINVMSGLEN, f"{name} is longer than its PDU or than {self.limit} octets")
        return data[offset + 1 : end], min(end, len(data))


_OCTET = Integer()
_ADDRESS = CString(21, Status.RINVDSTADR)
_LIST = CString(21, Status.RINVDLNAME)
_CODE = Integer(4)
_SME, _DISTRIBUTION_LIST = 1, 2


@dataclass(frozen=True, slots=True)
class SubmitDestinations:
    """number_of_dests and dest_address(es) of a submit_multi, 1 to 254 of them (§5.2.24, §5.2.25)."""

    limit: int = 254

    def encode(self, name: str, value: object) -> bytes:
        """Return the count and the flagged addresses."""
        if not isinstance(value, tuple) or not 1 <= len(value) <= self.limit:
            raise PduError(Status.RINVNUMDESTS, f"{name} are not 1 to {self.limit}")
        octets = [bytes((len(value),))]
        for item in value:
            if isinstance(item, ListName):
                octets += (bytes((_DISTRIBUTION_LIST,)), _LIST.encode(name, item.name))
            elif isinstance(item, Address):
                octets += (
                    bytes((_SME,)),
                    _OCTET.encode(name, item.ton),
                    _OCTET.encode(name, item.npi),
                    _ADDRESS.encode(name, item.address),
                )
            else:
                raise PduError(Status.RINVDESTFLAG, f"{name} have a member that is neither address nor list")
        return b"".join(octets)

    def decode(
        self, name: str, data: bytes, offset: int, *, strict: bool = True
    ) -> tuple[tuple[Address | ListName, ...], int]:
        """Return the addresses and lists, and the offset behind them."""
        count, offset = _OCTET.decode("number_of_dests", data, offset)
        if not 1 <= count <= self.limit:
            raise PduError(Status.RINVNUMDESTS, f"{name} are not 1 to {self.limit}")
        found: list[Address | ListName] = []
        for _ in range(count):
            flag, offset = _OCTET.decode("dest_flag", data, offset)
            if flag == _DISTRIBUTION_LIST:
                list_name, offset = _LIST.decode("dl_name", data, offset, strict=strict)
                found.append(ListName(list_name))
            elif flag == _SME:
                ton, offset = _OCTET.decode("dest_addr_ton", data, offset)
                npi, offset = _OCTET.decode("dest_addr_npi", data, offset)
                address, offset = _ADDRESS.decode("destination_addr", data, offset, strict=strict)
                found.append(Address(ton, npi, address))
            else:
                raise PduError(Status.RINVDESTFLAG, f"dest_flag is {flag}")
        return tuple(found), offset


@dataclass(frozen=True, slots=True)
class Unsuccessful:
    """no_unsuccess and unsuccess_sme(s) of a submit_multi_resp (§5.2.26, §5.2.27)."""

    def encode(self, name: str, value: object) -> bytes:
        """Return the count and the addresses with their codes."""
        if not isinstance(value, tuple) or len(value) > 255:
            raise PduError(Status.RINVNUMDESTS, f"{name} are more than 255")
        octets = [bytes((len(value),))]
        for ton, npi, address, code in value:
            octets += (
                _OCTET.encode(name, ton),
                _OCTET.encode(name, npi),
                _ADDRESS.encode(name, address),
                _CODE.encode(name, code),
            )
        return b"".join(octets)

    def decode(
        self, name: str, data: bytes, offset: int, *, strict: bool = True
    ) -> tuple[tuple[UnsuccessfulAddress, ...], int]:
        """Return the addresses with their codes, and the offset behind them."""
        count, offset = _OCTET.decode(name, data, offset)
        found = []
        for _ in range(count):
            ton, offset = _OCTET.decode("dest_addr_ton", data, offset)
            npi, offset = _OCTET.decode("dest_addr_npi", data, offset)
            address, offset = _ADDRESS.decode("destination_addr", data, offset, strict=strict)
            code, offset = _CODE.decode("error_status_code", data, offset)
            found.append(UnsuccessfulAddress(ton, npi, address, code))
        return tuple(found), offset
