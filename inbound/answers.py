"""The words of automatic answers: a customer's own by service and language, else the standard ones.

Not here: when there is one (planning).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from inbound.actions import Action, ActionKind, AnswerAction, MailAction

# One part each with a customer's name of up to 40 letters.
STANDARD_ANSWERS: Final[Mapping[ActionKind, Mapping[str, str]]] = MappingProxyType(
    {
        ActionKind.STOP: MappingProxyType(
            {
                "en": "{customer}: You get no more SMS from us. To get them again, reply START.",
                "de": "{customer}: Sie erhalten keine SMS mehr von uns. Wieder erhalten: mit START antworten.",
                "fr": "{customer} : vous ne recevrez plus de SMS de notre part. Pour en recevoir, répondez START.",
                "es": "{customer}: no recibirá más SMS nuestros. Para volver a recibirlos, responda ALTA.",
            }
        ),
        ActionKind.START: MappingProxyType(
            {
                "en": "{customer}: You get our SMS again. To end them, reply STOP.",
                "de": "{customer}: Sie erhalten unsere SMS wieder. Beenden: mit STOP antworten.",
                "fr": "{customer} : vous recevez de nouveau nos SMS. Pour les arrêter, répondez STOP.",
                "es": "{customer}: vuelve a recibir nuestros SMS. Para dejar de recibirlos, responda BAJA.",
            }
        ),
        ActionKind.HELP: MappingProxyType(
            {
                "en": "These SMS come from {customer}. Questions? Please ask {contact}. To end them, reply STOP.",
                "de": "Diese SMS kommen von {customer}. Fragen? Bitte an {contact}. Beenden: mit STOP antworten.",
                "fr": "Ces SMS viennent de {customer}. Questions : {contact}. Pour les arrêter, répondez STOP.",
                "es": "Estos SMS son de {customer}. Preguntas: {contact}. Para dejar de recibirlos, responda BAJA.",
            }
        ),
    }
)
_ENGLISH: Final = "en"


def answer_text(  # noqa: PLR0913 - what words depend on
    kind: ActionKind, own: AnswerAction | None, *, service: str, languages: tuple[str, ...], customer: str, contact: str
) -> tuple[str, str]:
    """Return the text of an automatic answer and its language; no text where there is none.

    Own texts win, one for the service before one for all, one for the language before one for all; then the standard
    one. `languages` are in the order of preference. `contact` is whom to ask; a name of the customer where nobody is.
    """
    standard = STANDARD_ANSWERS.get(kind, {})
    texts = own.texts if own is not None else {}
    for of_service in dict.fromkeys((service, "")):
        for language in (*languages, ""):
            text = texts.get(f"{of_service}/{language}")
            if text is not None:
                return _filled(text, customer, contact), language or next(iter(languages), _ENGLISH)
    for language in (*languages, _ENGLISH):
        if language in standard:
            return _filled(standard[language], customer, contact), language
    return "", _ENGLISH


def contact_of(actions: Iterable[Action]) -> str:
    """Return whom to ask about SMS, empty for nobody: the first address that gets what comes to a number."""
    for action in actions:
        if isinstance(action.settings, MailAction) and action.settings.addresses:
            return action.settings.addresses[0]
    return ""


def asks_contact(own: AnswerAction | None) -> bool:
    """Return whether an answer to HELP names `{contact}`: the standard one does, an own text may."""
    texts = own.texts if own is not None else {}
    return "/" not in texts or any("{contact}" in text for text in texts.values())


def _filled(text: str, customer: str, contact: str) -> str:
    return text.replace("{customer}", customer).replace("{contact}", contact or customer)
