"""Pages for browsers: Jinja templates that escape everything, and the style sheets and scripts beside them.

No page has anything inline, so that the strictest content policy fits. Not here: mails (render), routes (web).
"""

from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

_FOLDER = files(__package__).joinpath("pages")


class Pages:
    """Renders the pages of the folder `pages`; compiles each once."""

    def __init__(self) -> None:
        self._environment = Environment(
            autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._compiled: dict[str, Template] = {}

    def render(self, name: str, **values: object) -> str:
        """Return the page of a name, such as `demo`."""
        template = self._compiled.get(name)
        if template is None:
            source = _FOLDER.joinpath(f"{name}.html").read_text("utf-8")
            template = self._compiled[name] = self._environment.from_string(source)
        return template.render(values)

    def read(self, name: str) -> str:
        """Return a file that a page names, such as `demo.css`."""
        return _FOLDER.joinpath(name).read_text("utf-8")
