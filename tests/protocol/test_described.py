"""Requests made up from the descriptions of REST: each is answered as its description says, and never by 5xx."""

import asyncio
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from addressbook.api_keys import Scope
from tests.kit.rest_site import basic, rest_site
from tests.kit.testbed import make_house, open_core

DOCS = Path(__file__).parents[2] / "docs"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# Version 1 reads what its clients write, so that much beyond its description is taken; version 2 refuses that.
DESCRIPTIONS = {"openapi.json": [*CHECKS, negative_data_rejection], "power-automate.json": CHECKS}


def play(call, mode, *, url, authorization, known, checks):
    """Make requests of one call, good or bad ones, and check each answer; `known` are ids of what there is."""
    places = {item.name: known[item.name] for item in call.path_parameters if item.name in known}

    @settings(max_examples=settings().max_examples // 4, suppress_health_check=list(HealthCheck))
    @given(call.as_strategy(generation_mode=mode))
    def make(case):
        if mode is GenerationMode.POSITIVE:
            case.path_parameters |= places
        answer = case.call(base_url=url, headers={"Authorization": authorization})
        case.validate_response(answer, checks=checks)

    make()


@pytest.mark.parametrize("name", DESCRIPTIONS)
async def test_whatever_is_asked_is_answered_as_its_description_says(name, tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with rest_site(core) as site:
        file = core.folder / "erp.key"
        await site.administer(
            f"login add-key erp everything --key-file {file} " + " ".join(f"--scope {scope}" for scope in Scope)
        )
        job = (await site.send()).json["jobId"]
        (message,) = core.messages()
        known = {"job": job, "jobId": job, "message": message.public_id}
        authorization = basic() if name != "openapi.json" else f"Bearer {file.read_text('utf-8').strip()}"
        schema = schemathesis.openapi.from_path(DOCS / name)
        url = f"http://127.0.0.1:{site.port}{schema.base_path.rstrip('/')}"
        facts = {"url": url, "authorization": authorization, "known": known, "checks": DESCRIPTIONS[name]}
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            for mode in GenerationMode:
                await asyncio.to_thread(play, found.ok(), mode, **facts)
    core.database.close()
