"""Checks that a second HTML reader, which follows the standard's parser, sees the same tags in a mail as we do.

If our own reader (templates.markup) accepts a mail, nh3 with the same lists must find nothing to remove, and nothing
that we did not read. So no trick with comments, raw text or nesting hides tags from our check. The only user of nh3;
only the child process for templates loads it.
"""

import re
from collections import Counter
from collections.abc import Iterator

import nh3

from templates.markup import ATTRIBUTES, CONDITION, ELEMENTS, LINK_SCHEMES, PLACES, find_tags

# Outlook reads the content of a hidden condition, all others a comment.
_HIDDEN = re.compile(r"<!--\[if [^\]]*\]>(?!<!-->).*?<!\[endif\]-->", re.DOTALL)
_PAGE = frozenset({"html", "head", "body"})  # nh3 reads the content of a page (HTML §13.4, fragments)

_JUDGE = nh3.Cleaner(
    tags=set(ELEMENTS),
    clean_content_tags=set(),
    attributes={
        "*": set(ATTRIBUTES),
        **{place: {name for element, name in PLACES if element == place} for place, _ in PLACES},
    },
    url_schemes={scheme.removesuffix(":") for scheme in LINK_SCHEMES if scheme.endswith(":")} | {"cid"},
    link_rel=None,
)


def find_differences(html: str) -> Iterator[tuple[int, str]]:
    """Yield position and sentence where the two readers differ, in Outlook's reading and in all others'."""
    yield from _compare(html, _without(_HIDDEN, html))
    yield from _compare(_without(CONDITION, html), _without(CONDITION, html))


def _compare(html: str, without_comments: str) -> Iterator[tuple[int, str]]:
    first = [tag for tag in find_tags(without_comments) if tag[1] not in _PAGE]
    second = [(element, names) for _, element, names in find_tags(_JUDGE.clean(html))]
    left = Counter(second)
    for position, element, names in first:
        if not left[element, names]:
            yield position, f"{_written(element, names)} is no such tag for another reader of HTML where it stands"
        left[element, names] -= 1
    known = {(element, names) for _, element, names in first}
    for element, names in second:
        # The standard's parser repeats tags that are open, and adds bare rows and paragraphs (HTML §13.2.6).
        if names and (element, names) not in known:
            yield 0, f"another reader of HTML sees {_written(element, names)}, which we do not"


def _without(pattern: re.Pattern[str], html: str) -> str:
    """Return HTML with blanks for all matches of a pattern, so that positions stay."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), html)


def _written(element: str, names: tuple[str, ...]) -> str:
    return f"<{' '.join((element, *names))}>"
