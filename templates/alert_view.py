"""The view of an alert: plain English for the operator, who reads logs and commands too."""

from dataclasses import dataclass

from templates.brand import BrandView


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """The mail of one alert; the first of its paragraphs is the reason, the others say what to do."""

    subject: str
    tone: str
    paragraphs: tuple[str, ...]
    brand: BrandView
    language: str = "en"
    kind_name: str = "SMS gateway"
    footer: str = "This mail was made automatically by the SMS gateway. Nobody reads replies to it."

    @property
    def preheader(self) -> str:
        """What a list of mails shows behind the subject."""
        return self.paragraphs[0]

    @property
    def headline(self) -> str:
        """The loudest line."""
        return self.subject
