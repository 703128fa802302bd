"""SOAP envelopes: a call read and judged by the service's own schema, answers and faults written. Pure.

The fields of a call and of an answer are named as in the JSON of REST v1. SOAP 1.1 and WSDL 1.1, document/literal.
Not here: what a call does (soap.routes), what the fields mean (rest_v1).
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, cast

from lxml import etree

from web.safe_xml import XmlFault, append_fields, local_name, parse_xml, printable, text_of
from web.soap.calls import Fields, SoapCall, SoapFault

SERVICE: Final = "urn:mail2sms:soap:v4"
_ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
_ENVELOPE_12: Final = "http://www.w3.org/2003/05/soap-envelope"
_SCHEMA: Final = "http://www.w3.org/2001/XMLSchema"
_ADDRESS: Final = "{http://schemas.xmlsoap.org/wsdl/soap/}address"
_AS_DEFAULT: Final = cast("dict[str, str]", {None: SERVICE})  # the stubs know no default namespace
_OPERATIONS: Final = frozenset({"getVersionInfo", "sendJob", "getAvailableJobReports", "getJobReport"})
# Elements that stand for an array of the JSON: by the name of an item, the name of its array.
_ARRAYS: Final = {"message": "messages", "recipient": "recipients", "blackoutPeriod": "blackoutPeriods"}


def read_call(content: bytes) -> SoapCall | SoapFault:
    """Return the call that a request's body is."""
    root = parse_xml(content)
    if isinstance(root, XmlFault):
        return SoapFault(code=400, message=root.text)
    if root.tag == f"{{{_ENVELOPE_12}}}Envelope":
        return SoapFault(
            code=400, message=f"This is SOAP 1.2: expected an envelope of {_ENVELOPE}.", kind="VersionMismatch"
        )
    if root.tag != f"{{{_ENVELOPE}}}Envelope":
        return SoapFault(code=400, message=f"The root element is {root.tag}: expected {{{_ENVELOPE}}}Envelope.")
    for header in root.iterfind(f"{{{_ENVELOPE}}}Header/*"):
        if header.get(f"{{{_ENVELOPE}}}mustUnderstand") in {"1", "true"}:  # SOAP 1.1 §4.2.3
            said = f"The header {local_name(header)} must be understood, and no header is."
            return SoapFault(code=400, message=said, kind="MustUnderstand")
    body = root.find(f"{{{_ENVELOPE}}}Body")
    calls = list(body) if body is not None else []
    if len(calls) != 1:
        return SoapFault(code=400, message=f"The body has {len(calls)} elements: expected one, the operation.")
    return _read_operation(calls[0])


def _read_operation(element: etree._Element) -> SoapCall | SoapFault:
    name = etree.QName(element)
    if name.namespace != SERVICE or name.localname not in _OPERATIONS:
        known = ", ".join(sorted(_OPERATIONS))
        return SoapFault(code=400, message=f"The operation is {element.tag}: expected one of {known} in {SERVICE}.")
    schema = _description().schema
    with_own_root = etree.fromstring(etree.tostring(element, with_tail=False))
    if not schema.validate(with_own_root):
        return SoapFault(code=400, message=_say(schema.error_log))
    fields = dict(_fields_of(element))
    username, password = str(fields.pop("username", "")), str(fields.pop("password", ""))
    return SoapCall(operation=name.localname, username=username, password=password, fields=fields)


def _say(errors: etree._ListErrorLog) -> str:
    """Return what the schema says of the first fault, in names without their namespace."""
    first = next(iter(errors), None)
    said = " ".join(first.message.replace(f"{{{SERVICE}}}", "").split()) if first is not None else "It is not valid."
    return f"The request is not what the service's description expects: {said}"[:500]


def _fields_of(element: etree._Element) -> Fields:
    """Return the children of an element as JSON has them."""
    fields: dict[str, object] = {}
    for child in element:
        name = local_name(child)
        value: object = _value_of(child)
        if name in _ARRAYS:
            array = fields.setdefault(_ARRAYS[name], [])
            assert isinstance(array, list)
            array.append(value)
        elif name == "blackoutPeriods":
            fields[name] = [text_of(period) for period in child]
        else:
            fields[name] = value
    return fields


def _value_of(element: etree._Element) -> object:
    return _fields_of(element) if len(element) else text_of(element)


def write_answer(operation: str, fields: Fields) -> bytes:
    """Return the envelope of an answer; a None is an element that is absent, a list one element for each item."""
    answer = etree.Element(f"{{{SERVICE}}}{operation}Response", nsmap=_AS_DEFAULT)
    append_fields(answer, fields)
    return _wrap(answer)


def write_fault(fault: SoapFault) -> bytes:
    """Return the envelope of a fault, with the code and message of REST v1 as its detail (SOAP 1.1 §4.4)."""
    element = etree.Element(f"{{{_ENVELOPE}}}Fault", nsmap={"soap": _ENVELOPE})
    etree.SubElement(element, "faultcode").text = f"soap:{fault.kind}"
    etree.SubElement(element, "faultstring").text = printable(fault.message)
    if fault.kind in {"Client", "Server"}:
        detail = etree.SubElement(etree.SubElement(element, "detail"), f"{{{SERVICE}}}error", nsmap=_AS_DEFAULT)
        append_fields(detail, {"code": fault.code, "message": fault.message})
    return _wrap(element)


def write_description(address: str) -> bytes:
    """Return the service's description (WSDL), which says that it is at this address."""
    root = etree.fromstring(_description().source)
    for element in root.iter(_ADDRESS):
        element.set("location", address)
    return _serialise(root)


def _wrap(element: etree._Element) -> bytes:
    envelope = etree.Element(f"{{{_ENVELOPE}}}Envelope", nsmap={"soap": _ENVELOPE})
    etree.SubElement(envelope, f"{{{_ENVELOPE}}}Body").append(element)
    return _serialise(envelope)


def _serialise(element: etree._Element) -> bytes:
    return etree.tostring(element, encoding="UTF-8", xml_declaration=True)


@dataclass(frozen=True, slots=True)
class _Description:
    source: bytes
    schema: etree.XMLSchema


@cache
def _description() -> _Description:
    source = files("web.soap").joinpath("service.wsdl").read_bytes()
    schema = etree.fromstring(source).find(f".//{{{_SCHEMA}}}schema")
    assert schema is not None
    return _Description(source, etree.XMLSchema(schema))
