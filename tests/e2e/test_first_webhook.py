"""The lines of docs/api-v2.md that check a push, in Python and in Node, against a push that came."""

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from smpp.simulator.script import Script
from tests.kit.application import Application
from tests.kit.peer import find_program, require_peer

GUIDE = (Path(__file__).parents[2] / "docs/api-v2.md").read_text("utf-8")


def snippet(language):
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def judge_in_python(secret, headers, body):
    names: dict[str, Any] = {}
    exec(snippet("python"), names)
    return names["is_ours"](secret, headers, body)


def judge_in_node(secret, headers, body):
    given = json.dumps([secret, headers, base64.b64encode(body).decode()])
    call = 'const [s, h, b] = JSON.parse(require("fs").readFileSync(0)); console.log(isOurs(s, h, Buffer.from(b, "base64")));'
    node = find_program("node") or "node"
    done = subprocess.run(
        [node, "-e", snippet("javascript") + call], input=given, capture_output=True, text=True, check=True
    )
    return {"true": True, "false": False}[done.stdout.strip()]


async def test_a_push_is_verified_by_the_ten_lines_of_the_guide_and_another_is_not(site):
    require_peer("node", find_program("node"))
    for language in ("python", "javascript"):
        assert len(snippet(language).strip().splitlines()) <= 10
    application = await Application().start()
    try:
        site.tables["push"] = {"allow": [{"customer": "demo", "networks": ["127.0.0.0/8"]}]}
        await site.open(Script(receipt_delay=0.0))
        shown = await site.command("customer", "push", "demo", f"http://127.0.0.1:{application.port}/sms")
        await site.command("customer", "set", "demo", "status_channel=push", "push_states=submitted")
        await site.start()
        job = await site.send("Pump 7 has stopped")
        (push,) = await application.has(1)
    finally:
        await application.stop()
    secret = shown.splitlines()[-1]
    late = {**push.headers, "webhook-timestamp": str(int(push.headers["webhook-timestamp"]) - 600)}
    rotated = {**push.headers, "webhook-signature": f"v1,AAAA {push.headers['webhook-signature']}"}
    other = "whsec_" + base64.b64encode(bytes(32)).decode()
    for judge in (judge_in_python, judge_in_node):
        assert judge(secret, push.headers, push.body)
        assert judge(secret, rotated, push.body)
        assert not judge(secret, push.headers, push.body + b" ")
        assert not judge(secret, late, push.body)
        assert not judge(other, push.headers, push.body)
    (listed,) = json.loads(await site.command("push", "list", "--json"))
    assert (listed["of"], listed["sms"]) == (job, push.report["recipients"][0]["smsId"])
