"""The connector for Power Automate: its definition is what the gateway takes and answers, call by call."""

import json
import re
from pathlib import Path
from urllib.parse import quote, urlencode

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import SWAGGER_20_VALIDATOR

from tests.kit.rest_site import rest_site
from tests.kit.testbed import make_house, open_core

ROOT = Path(__file__).parents[2]
CONNECTOR = json.loads((ROOT / "docs/power-automate.json").read_text("utf-8"))
CALLS = {
    call["operationId"]: (method.upper(), path, call)
    for path, calls in CONNECTOR["paths"].items()
    for method, call in calls.items()
}


def strict(shape):
    """Return a shape of the definition as JSON schema: what may be null may be so, and no member is unnamed."""
    if isinstance(shape, list):
        return [strict(item) for item in shape]
    if not isinstance(shape, dict):
        return shape
    made = {name: strict(value) for name, value in shape.items()}
    if isinstance(made.get("properties"), dict):
        made["additionalProperties"] = False
    if made.pop("x-nullable", False):
        made["type"] = [made["type"], "null"]
    return made


def holds(shape, value):
    """Check a value against a shape of the definition."""
    schema = {**strict(shape), "definitions": strict(CONNECTOR["definitions"])}
    jsonschema_rs.Draft4Validator(schema, validate_formats=True).validate(value)


def filled(shape):
    """Return a value with every member that a shape names."""
    if "$ref" in shape:
        return filled(CONNECTOR["definitions"][shape["$ref"].rpartition("/")[2]])
    match shape.get("example"), shape["type"]:
        case None, "object":
            return {name: filled(inner) for name, inner in shape["properties"].items()}
        case None, "array":
            return [filled(shape["items"])]
        case None, "boolean":
            return True
        case None, _:
            return shape["enum"][0]
        case example, _:
            return example


class Flow:
    """Makes the calls of the definition as a flow does, and holds each answer against it."""

    def __init__(self, site):
        self.site = site

    async def call(self, name, body=None, *, expected=None, authorization=None, **given):
        method, path, call = CALLS[name]
        query = {}
        for parameter in call["parameters"]:
            value = given.pop(parameter["name"], parameter.get("default") if parameter["required"] else None)
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", quote(value, safe=""))
            elif parameter["in"] == "query" and value is not None:
                query[parameter["name"]] = str(value).lower() if isinstance(value, bool) else value
        assert not given, "parameters that the definition lacks"
        target = f"{CONNECTOR['basePath']}{path}" + (f"?{urlencode(query)}" if query else "")
        answer = await self.site.ask(method, target, body, authorization=authorization)
        success = next(int(status) for status in call["responses"] if status < "300")
        assert answer.status == (expected or success), answer.body
        holds(call["responses"][str(answer.status)]["schema"], answer.json)
        return answer.json


@pytest.fixture
async def flow(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with rest_site(core) as site:
        yield Flow(site)
    core.database.close()


def test_the_definition_is_openapi_2():
    SWAGGER_20_VALIDATOR.validate(CONNECTOR)
    assert CALLS.keys() == {"SendJob", "GetJob", "ListJobs", "ListSmsOfJob", "GetVersion"}
    references = re.findall(r'"\$ref": "#/definitions/(\w+)"', json.dumps(CONNECTOR))
    assert set(references) == CONNECTOR["definitions"].keys()


@pytest.mark.parametrize("name", CALLS)
def test_every_action_and_parameter_has_its_title_and_description(name):
    _, _, call = CALLS[name]
    assert call["summary"] != call["description"]
    assert call["description"].endswith(".")
    assert "default" not in call["responses"], "the designer takes shapes of named statuses only"
    for parameter in call["parameters"]:
        assert parameter["in"] == "body" or (parameter["x-ms-summary"] and parameter["description"].endswith("."))
        assert parameter.get("x-ms-visibility") != "internal" or "default" in parameter


def test_the_definition_has_every_field_that_a_job_may_have():
    documented = re.findall(r"^\| `options\.(\w+)` \|", (ROOT / "docs/api.md").read_text("utf-8"), re.MULTILINE)
    assert CONNECTOR["definitions"]["JobRequest"]["properties"]["options"]["properties"].keys() == set(documented)


async def test_a_flow_sends_a_job_with_every_field_and_reads_what_became_of_it(flow):
    version = await flow.call("GetVersion")
    assert version["versionInfo"].startswith("mail2sms ")
    body = filled(CONNECTOR["definitions"]["JobRequest"])
    holds(CONNECTOR["definitions"]["JobRequest"], body)
    sent = await flow.call("SendJob", body)
    (job,) = flow.site.core.jobs()
    assert (job.public_id, job.reference) == (sent["jobId"], "order 7")
    assert [job.ignored_options for job in flow.site.core.jobs()] == [""]
    report = await flow.call("GetJob", jobId=sent["jobId"])
    assert (report["src"], report["billcode"], report["finishedTs"]) == ("ACME", "4711", None)
    (sms,) = await flow.call("ListSmsOfJob", jobId=sent["jobId"])
    assert [sms["smsId"]] == report["recipientIds"]
    assert (sms["dst"], sms["customerRef"], sms["processStatus"]) == ("+447700900123", "Anna", "OPEN")
    assert await flow.call("ListJobs") == [sent]
    at = report["receiptTs"]
    assert await flow.call("ListJobs", fromTs=at, toTs=at, open=True, offset=0, limit=10) == []


async def test_a_flow_sends_a_job_with_nothing_but_text_and_number(flow):
    body = {"messages": [{"text": "Hello", "recipients": [{"dst": "+447700900101"}]}]}
    holds(CONNECTOR["definitions"]["JobRequest"], body)
    sent = await flow.call("SendJob", body)
    await flow.call("GetJob", jobId=sent["jobId"])
    await flow.call("ListSmsOfJob", jobId=sent["jobId"])


async def test_what_a_flow_does_wrong_is_answered_as_the_definition_says(flow):
    problem = await flow.call("SendJob", {"messages": [{"text": "x"}]}, expected=400)
    assert problem["errors"][0]["field"] == "messages[0].recipients"
    await flow.call("SendJob", {}, expected=401, authorization="Basic eDp5")
    await flow.call("GetJob", jobId="J.20261130-074212.113-k3v7c2m4qa", expected=404)
    await flow.call("ListSmsOfJob", jobId="a job/?&", expected=404)
    await flow.call("GetJob", jobId="a job/?&", expected=404)
    await flow.call("ListJobs", fromTs="yesterday", expected=400)
