"""A client of REST version 2 that holds each answer against the description of its call."""

import json
import re

import msgspec

from tests.kit.rest_site import RestSite
from tests.kit.testbed import administer
from web.api_v2.operations import OPERATIONS
from web.api_v2.shapes import ProblemAnswer

ONE, TWO, THREE = "+447700900101", "+447700900102", "+447700900103"


class V2:
    """A client that holds each answer against the description of its call."""

    def __init__(self, site: RestSite):
        self.site = site
        self.core = site.core

    async def key(self, name, *options):
        file = self.core.folder / f"{name}.key"
        administer(self.core.folder, f"login add-key erp {name} --key-file {file} {' '.join(options)}")
        await self.core.book.refresh()
        return f"Bearer {file.read_text('utf-8').strip()}"

    async def ask(self, method, path, body=None, **headers):
        answer = await self.site.ask(method, f"/api/v2{path}", body, **headers)
        bare = f"/api/v2{path.partition('?')[0]}"
        call = next(
            (
                call
                for call in OPERATIONS
                if call.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", call.path), bare)
            ),
            None,
        )
        if call is not None:
            assert answer.status in call.statuses, answer.body
            shape = call.answer if answer.status == call.status else ProblemAnswer
            decoded = msgspec.json.decode(answer.body, type=shape)
            assert json.loads(msgspec.json.encode(decoded)) == answer.json, "members that the description lacks"
        return answer

    async def send(self, text="Hello", *numbers, name=None, **more):
        headers = {"Idempotency_Key": name} if name is not None else {}
        body = {"messages": [{"text": text, "recipients": [{"to": number} for number in numbers or (ONE,)]}], **more}
        return await self.ask("POST", "/jobs", body, **headers)
