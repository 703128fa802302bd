"""Whether a customer's template may be stored: it works for every sample, and its mail has text.

Not here: what a mail may contain (templates.markup), how it runs (templates.confined), who asks
(gateway.admin.mail_templates).
"""

from typing import Any

from templates.confined import ConfinedTemplates
from templates.forms import MailForm
from templates.render import Renderer, TemplateBroken
from templates.samples import views_to_try


def check_template(source: str, form: MailForm, renderer: Renderer, confined: ConfinedTemplates) -> list[str]:
    """Return the faults of a customer's template as sentences for its author; empty if there are none.

    It is tried with every kind of mail that it may make, so that a name missing in a rare state is found early.
    """
    problems: dict[str, None] = {}
    for view in views_to_try(form, renderer):
        try:
            html = confined.run(source, view)
        except TemplateBroken as broken:
            return [*problems, str(broken)]
        if not _shows_text(html):
            problems["it makes an empty mail"] = None
    return list(problems)


def _shows_text(html: str) -> bool:
    if not html.strip():
        return False
    from lxml import html as lxml_html  # noqa: PLC0415  (the gateway that tries no template need not load it)

    tree: Any = lxml_html.document_fromstring(html)
    return bool(tree.text_content().strip())
