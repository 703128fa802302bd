"""Whether a customer's template is fit to be kept: it works for every kind of notice, and its mail does nothing.

Not here: how it runs (templates.confined), who asks (gateway.mail_templates).
"""

from typing import Any

from lxml import etree
from lxml import html as lxml_html

from sms.report import NoticeKind
from templates.confined import ConfinedTemplates
from templates.render import Renderer, TemplateBroken
from templates.samples import sample_reports

_FORBIDDEN_ELEMENTS = frozenset(
    {"applet", "audio", "base", "embed", "form", "frame", "iframe", "input", "link", "object", "script", "svg", "video"}
)
_LINK_SCHEMES = ("https:", "http:", "mailto:", "tel:", "#")


def check_template(source: str, renderer: Renderer, confined: ConfinedTemplates) -> list[str]:
    """Return what is wrong with a customer's template, each as a sentence for its author; empty where nothing is.

    It is tried with every kind of notice, so that a name that is missing in a rare state is found before it matters.
    """
    problems: dict[str, None] = {}
    for kind in NoticeKind:
        for report in sample_reports(kind):
            try:
                html = confined.run(source, renderer.view(kind, report))
            except TemplateBroken as broken:
                return [*problems, str(broken)]
            problems.update(dict.fromkeys(find_unfit(html)))
    return list(problems)


def find_unfit(html: str) -> list[str]:
    """Return what a mail must not have: elements that act, handlers, and anything a client would fetch."""
    if not html.strip():
        return ["it makes an empty mail"]
    tree: Any = lxml_html.document_fromstring(html)
    found: list[str] = []
    for element in tree.iter(etree.Element):
        if element.tag in _FORBIDDEN_ELEMENTS:
            found.append(f"<{element.tag}> has no place in a mail")
        for name, value in element.attrib.items():
            found.extend(_unfit_attribute(str(name).lower(), " ".join(str(value).split()).lower()))
        if element.tag == "style" and ("url(" in (element.text or "").lower() or "@import" in (element.text or "")):
            found.append("a style sheet fetches something")
    if not tree.text_content().strip():
        found.append("it makes an empty mail")
    return list(dict.fromkeys(found))


def _unfit_attribute(name: str, value: str) -> list[str]:
    if name.startswith("on"):
        return [f"the attribute {name} runs a script"]
    if name in {"src", "background", "poster", "srcset"} and not value.startswith("cid:"):
        return [f"{name}={value[:60]!r}: a graphic travels with the mail (cid:), it is not fetched"]
    if name == "href" and not value.startswith(_LINK_SCHEMES):
        return [f"href={value[:60]!r}: a link begins with one of {', '.join(_LINK_SCHEMES)}"]
    if name == "style" and "url(" in value:
        return ["a style fetches something with url()"]
    return []
