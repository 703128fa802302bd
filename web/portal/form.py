"""What a form of the portal sent. Not here: who may send it (gate), what is made of it (the pages)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_MOST_FIELDS: Final = 1000
_MOST_FILES: Final = 4


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came: its name is the sender's word and names nothing on this machine."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The fields of a form. Line ends are LF, NUL (which no database takes) is U+FFFD, what was not sent is empty."""

    fields: Mapping[str, list[str]] = field(default_factory=dict)
    files: Mapping[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return the text of a field as it was typed."""
        return (self.fields.get(name) or [""])[-1]

    def line(self, name: str) -> str:
        """Return the text of a field of one line, without blanks around it."""
        return " ".join(self.text(name).split())

    def texts(self, name: str) -> list[str]:
        """Return all values of a field, such as those of boxes that were ticked."""
        return list(self.fields.get(name, []))

    def ticked(self, name: str) -> bool:
        """Return whether a box was ticked."""
        return name in self.fields

    def file(self, name: str) -> Upload | None:
        """Return the file of a field, None where none was chosen."""
        return self.files.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)


async def read_form(request: Request) -> Form:
    """Return the form of a request. Raises HTTPException 400, 413 or 415 for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _TYPES:
        raise HTTPException(415)
    most: int = request.state.most_octets
    try:
        async with request.form(max_fields=_MOST_FIELDS, max_files=_MOST_FILES, max_part_size=most) as data:
            return await _read(data)
    except UnicodeDecodeError as error:
        raise HTTPException(400) from error


async def _read(data: FormData) -> Form:
    fields: dict[str, list[str]] = {}
    files: dict[str, Upload] = {}
    for name, value in data.multi_items():
        if isinstance(value, UploadFile):
            if value.filename:
                files[name] = Upload(value.filename, await value.read())
        else:
            fields.setdefault(name, []).append(value.replace("\r\n", "\n").replace("\0", "\ufffd"))
    return Form(fields=fields, files=files)
