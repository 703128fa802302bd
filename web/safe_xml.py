"""XML from strangers, parsed without anything that XML can be told to do: no DOCTYPE, no entities, no network.

Not here: what the elements mean (soap, xml_jobs), how large a body may be (web.connection).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

_DEEPEST: Final = 30
_NEVER: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class XmlFault:
    """Why octets are no XML that we read; `text` says what, and in which line where one is to blame."""

    text: str


def parse_xml(content: bytes) -> etree._Element | XmlFault:
    """Return the root element of a document, or what is wrong with it."""
    if not content.strip():
        return XmlFault("The body is empty: expected an XML document.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        return XmlFault(f"The body is not well-formed XML: {' '.join((error.msg or '').split())[:300]}.")
    if root.getroottree().docinfo.internalDTD is not None:
        return XmlFault("The document has a DOCTYPE: remove it, since none is read.")
    if _is_deeper(root, _DEEPEST):
        return XmlFault(f"The elements stand more than {_DEEPEST} deep in each other.")
    return root


def local_name(element: etree._Element) -> str:
    """Return an element's name without its namespace."""
    return etree.QName(element).localname


def text_of(element: etree._Element) -> str:
    """Return the text of an element without children, as it stands."""
    return element.text or ""


def printable(text: str) -> str:
    """Return a text without the characters that XML cannot carry (XML 1.0 §2.2)."""
    return _NEVER.sub("\ufffd", text)


def append_fields(parent: etree._Element, fields: Mapping[str, object]) -> None:
    """Append elements in the namespace of the parent; a None is one that is absent, a list one for each item."""
    namespace = etree.QName(parent).namespace
    for name, value in fields.items():
        for item in value if isinstance(value, Sequence) and not isinstance(value, str) else (value,):
            if item is None:
                continue
            element = etree.SubElement(parent, etree.QName(namespace, name))
            if isinstance(item, Mapping):
                append_fields(element, item)
            else:
                element.text = str(item).lower() if isinstance(item, bool) else printable(str(item))


def _is_deeper(root: etree._Element, most: int) -> bool:
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > most:
            return True
    return False
