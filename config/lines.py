"""Which line of a TOML document says what: a path of keys and indexes → line number, which tomllib does not tell.

Works on documents that tomllib has already accepted (TOML 1.0.0), so it checks nothing and stops quietly at what it
does not understand. Values are not read here.
"""

import re
import tomllib
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'  # up to two quotes may stand right before the closing three
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


class _Scanner:
    """One walk over the document, remembering the line of every key, table and array element."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._arrays: dict[KeyPath, int] = {}

    def scan(self) -> None:
        """Record every statement of the document."""
        table: KeyPath = ()
        while self._skip(_SPACE):
            if self.text.startswith("[[", self.at):
                table = self._header(2)
            elif self.text[self.at] == "[":
                table = self._header(1)
            elif not self._assignment(table):
                return

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Step over what the pattern matches; tell whether anything is left."""
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at < len(self.text)

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def _note(self, path: KeyPath, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _header(self, brackets: int) -> KeyPath:
        line = self._line()
        self.at += brackets
        keys = self._key()
        self._skip(_BLANK)
        self.at += brackets
        path: KeyPath = ()
        for position, key in enumerate(keys, start=1):
            path = (*path, key)
            if brackets == 2 and position == len(keys):
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                self._note(path, line)
                path = (*path, self._arrays[path])
        self._note(path, line)
        return path

    def _key(self) -> tuple[str, ...]:
        """Read a dotted key; empty where none stands here."""
        keys: list[str] = []
        while self._skip(_BLANK):
            pattern = _STRING if self.text[self.at] in "\"'" else _BARE_KEY
            match = pattern.match(self.text, self.at)
            if match is None:
                break
            self.at = match.end()
            quoted = pattern is _STRING
            keys.append(next(iter(tomllib.loads(f"{match[0]} = 0"))) if quoted else match[0])
            self._skip(_BLANK)
            if not self.text.startswith(".", self.at):
                break
            self.at += 1
        return tuple(keys)

    def _assignment(self, table: KeyPath) -> bool:
        line = self._line()
        keys = self._key()
        self._skip(_BLANK)
        if not keys or not self.text.startswith("=", self.at):
            return False
        self.at += 1
        self._skip(_BLANK)
        path = (*table, *keys)
        self._note(path, line)
        self._value(path)
        return True

    def _value(self, path: KeyPath) -> None:
        """Step over one value, noting the elements of arrays and the keys of inline tables."""
        opening = self.text[self.at : self.at + 1]
        if opening not in {"[", "{"}:
            self._skip(_STRING if opening in {'"', "'"} else _SCALAR)
            return
        closing = "]" if opening == "[" else "}"
        self.at += 1
        index = 0
        while self._skip(_SPACE) and self.text[self.at] != closing:
            if opening == "[":
                self._note((*path, index), self._line())
                self._value((*path, index))
                index += 1
            elif not self._assignment(path):
                return
            self._skip(_SPACE)
            if self.text.startswith(",", self.at):
                self.at += 1
        self.at += 1


def locate(text: str) -> Mapping[KeyPath, int]:
    """Return the line, counted from 1, on which each key, table and array element of a valid TOML document stands."""
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Return the line of a path, or of the nearest table around it, or 1."""
    return next((lines[path[:length]] for length in range(len(path), 0, -1) if path[:length] in lines), 1)
