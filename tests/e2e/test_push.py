"""Jobs told of by push: by which channel, on which occasions, signed with the key that was shown, and never lost."""

import asyncio
import json

import pytest

from smpp.simulator.script import Script
from sms.message import ReceiptState
from tests.kit.application import Application
from tests.kit.installation import SENDER, addresses, mail
from tests.kit.patience import PATIENCE

NUMBER = "+447700900123"


@pytest.fixture
async def application():
    application = await Application().start()
    yield application
    await application.stop()


@pytest.fixture
async def told(site, application):
    """Return a function that starts the gateway with these settings of the customer and returns the shown key."""

    async def begin(script=None, **settings) -> str:
        site.tables["push"] = {"allow": [{"customer": "demo", "networks": ["127.0.0.0/8"]}]}
        await site.open(script or Script(receipt_delay=0.0))
        shown = await site.command("customer", "push", "demo", f"http://127.0.0.1:{application.port}/sms")
        if settings:
            await site.command("customer", "set", "demo", *(f"{name}={value}" for name, value in settings.items()))
        await site.start()
        return str(shown.splitlines()[-1])

    return begin


def notices(site):
    return sorted((row.kind, row.channel, row.state) for row in site.outbox_rows())


async def test_a_result_is_pushed_signed_with_the_key_that_the_command_showed(site, application, told):
    secret = await told(status_channel="push", delivery_receipt="on", cost_centre="4711")
    job = await site.send("Pump 7 has stopped")
    (push,) = await application.has(1)
    await site.until_all_told()
    assert secret.startswith("whsec_")
    assert push.is_verified_with(secret)
    assert push.line == "POST /sms HTTP/1.1"
    assert (push.report["event"], push.report["jobId"], push.report["billcode"]) == ("result", job, "4711")
    (recipient,) = push.report["recipients"]
    assert (recipient["dst"], recipient["status"]) == (NUMBER, "SUC_FIN")
    assert b"Pump" not in push.body
    assert notices(site) == [("result", "push", "sent")]
    assert site.box.mails == ()


async def test_both_channels_tell_the_same_once_each_and_the_status_names_them(site, application, told):
    await told(status_channel="both")
    job = await site.send("Twice told")
    await application.has(1)
    await site.told()
    await site.until_all_told()
    assert notices(site) == [("result", "mail", "sent"), ("result", "push", "sent")]
    shown = await site.command("status", job)
    assert f"result by mail to {SENDER}: sent" in shown
    assert f"result by push to http://127.0.0.1:{application.port}/sms: sent" in shown
    assert "200 Answer" in shown
    trace = json.loads(await site.command("status", "--json", job))
    assert sorted(notice["channel"] for notice in trace["notices"]) == ["mail", "push"]


async def test_without_push_url_what_should_be_pushed_is_told_by_mail(site):
    await site.open()
    await site.command("customer", "set", "demo", "status_channel=push")
    await site.start()
    await site.send("Nowhere to push")
    assert await site.told()
    await site.until_all_told()
    assert notices(site) == [("result", "mail", "sent")]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (("mail", "on", "never"), ["accepted"]),
        (("push", "on", "never"), ["accepted"]),
        (("both", "off", "always"), ["result"]),
        (("both", "on", "always"), ["accepted", "result"]),
        (("both", "on", "on-failure"), ["accepted"]),
        (("both", "off", "never"), []),
    ],
)
async def test_first_and_final_are_set_apart_and_by_each_channel(site, application, told, rule, expected):
    channel, first, final = rule
    await told(status_channel=channel, first_report=first, status_report=final, delivery_receipt="on")
    job = await site.send("One of each")
    await site.until(lambda: site.state(job) == {NUMBER.removeprefix("+"): "delivered"})
    await site.until_all_told()
    channels = {"both": ["mail", "push"]}.get(channel, [channel])
    assert notices(site) == sorted((kind, by, "sent") for kind in expected for by in channels)
    assert sorted(push.report["event"] for push in application.pushes) == (expected if "push" in channels else [])
    assert len(site.box.mails) == (len(expected) if "mail" in channels else 0)


async def test_a_failure_is_pushed_where_only_failures_are_to_be_told(site, application, told):
    script = Script(receipt_delay=0.0, states={"447700900102": ReceiptState.UNDELIVERABLE})
    await told(script, status_channel="push", status_report="on-failure", delivery_receipt="on")
    await site.send("Fine", to=("+447700900101",))
    bad = await site.send("Not fine", to=("+447700900102",))
    await site.until_all_told()
    assert [push.report["jobId"] for push in application.pushes] == [bad]
    assert application.pushes[0].report["recipients"][0]["status"] == "FAILED_FIN"


async def test_a_push_that_was_not_taken_waits_and_is_the_same_one_when_it_comes_again(site, application, told):
    application.answers = [503, None]
    await told(status_channel="push")
    await site.send("Try again")
    await application.has(1)
    await site.until(lambda: notices(site) == [("result", "push", "queued")])
    listed = await site.command("queue", "list")
    assert f"by push to http://127.0.0.1:{application.port}/sms" in listed
    assert "It answered with status 503." in listed
    await site.command("queue", "flush")
    await application.has(2)
    await site.kill()  # while the application still thinks
    await site.start()
    await application.has(3)
    await site.until_all_told()
    assert len({push.headers["webhook-id"] for push in application.pushes}) == 1
    assert notices(site) == [("result", "push", "sent")]


async def test_a_push_that_is_refused_for_good_ends_and_says_why(site, application, told):
    application.answers = [410]
    await told(status_channel="push")
    job = await site.send("Gone")
    await site.until_all_told()
    assert notices(site) == [("result", "push", "failed")]
    assert "It answered with status 410." in await site.command("status", job)
    await site.until(lambda: any("push-given-up" in line for line in site.log))


@pytest.mark.slow
async def test_an_application_that_hangs_delays_no_mail(site, application, told):
    application.answers = [None] * 100
    await told(status_channel="both")
    for number in range(60):  # more than there are pushes at a time
        await site.send(f"Number {number}")
    await site.until(lambda: len(site.outbox_rows(state="sent", channel="mail")) == 60)
    assert site.outbox_rows(state="sent", channel="push") == []


async def test_a_url_inside_our_own_network_is_not_called_unless_the_operator_says_so(site, application):
    await site.open()
    url = f"http://127.0.0.1:{application.port}/"
    said = await site.command("customer", "push", "demo", url, code=1)
    assert "127.0.0.1 is not a public address" in said or "plain http to 127.0.0.1 is not allowed" in said
    await site.command("customer", "set", "demo", f"push_url={url}", "status_channel=push")
    await site.start()
    job = await site.send("Inside")
    await site.until_all_told()
    assert "not a public address" in await site.command("status", job)
    assert application.pushes == []


async def test_an_application_is_tried_with_a_sample_before_any_job(site, application, told):
    secret = await told()
    said = await site.command("push", "test", "--customer", "demo")
    assert f"http://127.0.0.1:{application.port}/sms took it: 127.0.0.1, 127.0.0.1, 200 Answer." in said
    (push,) = application.pushes
    assert push.is_verified_with(secret)
    assert (push.report["event"], push.report["jobId"]) == ("result", "J.test")
    application.answers = [503]
    said = await site.command("push", "test", "--customer", "demo", f"http://127.0.0.1:{application.port}/", code=1)
    assert "did not take it: It answered with status 503." in said
    assert "not a public address" in await site.command(
        "push", "test", "--customer", "demo", "https://10.0.0.1/", code=1
    )
    assert "no customer" in await site.command("push", "test", "--customer", "nobody", code=1)
    await site.command("customer", "set", "demo", "push_states=all")
    await site.command("push", "test", "--customer", "demo")
    assert (application.pushes[-1].report["event"], len(application.pushes[-1].report["recipients"])) == ("message", 1)
    assert site.outbox_rows() == []


async def test_a_second_key_signs_at_once_and_the_first_beside_it_unless_it_became_known(site, application, told):
    first = await told(status_channel="push")
    second = await site.command("customer", "push", "demo", f"http://127.0.0.1:{application.port}/sms")
    await site.send("Signed twice")
    (push,) = await application.has(1)
    assert push.is_verified_with(second.splitlines()[-1])
    assert push.is_verified_with(first)
    third = await site.command("push", "key", "demo", "--beside", "0s")
    await site.send("Signed anew")
    push = (await application.has(2))[1]
    assert push.is_verified_with(third.splitlines()[-1])
    assert not push.is_signed_with(second.splitlines()[-1])


@pytest.mark.parametrize(
    "url",
    ["http://app.example.com/", "ftp://app.example.com/", "https://anna:secret@app.example.com/", "https://", "app"],
)
async def test_a_url_that_is_not_safe_is_refused_and_no_key_is_made(site, url):
    await site.open()
    said = await site.command("customer", "push", "demo", url, code=1)
    assert "push_url" in said or "plain http to app.example.com is not allowed to this customer" in said
    assert "whsec_" not in said
    assert site.push_keys() == []


async def test_the_key_is_shown_once_and_goes_with_its_customer(site):
    await site.open()
    secret = (await site.command("customer", "push", "demo", "https://app.example.com/")).splitlines()[-1]
    for words in (("customer", "show", "demo"), ("user", "explain", SENDER)):
        assert secret.removeprefix("whsec_") not in await site.command(*words, code=0 if words[0] == "customer" else 1)
    await site.command("customer", "remove", "--with-users", "demo")
    assert site.push_keys() == []


async def test_sending_with_a_body_kept_for_a_dsn_forgets_it_only_when_both_channels_have_told(site, application, told):
    application.answers = [503]
    await told(status_channel="both", report_format="dsn", delivery_receipt="on")

    def send():
        with site.client() as client:
            client.mail(SENDER, options=["RET=FULL", "ENVID=abc"])
            client.rcpt(addresses(NUMBER)[0], options=["NOTIFY=SUCCESS,FAILURE"])
            client.data(mail("Keep me", message_id="<keep@example.com>"))

    await asyncio.to_thread(send)
    await application.has(1)
    await site.box.wait_for_mails(1, PATIENCE)
    await site.until(lambda: notices(site) == [("result", "mail", "sent"), ("result", "push", "queued")])
    assert [job.body is None for job in site.jobs()] == [False]
    await site.command("queue", "flush")
    await site.until_all_told()
    assert [job.body is None for job in site.jobs()] == [True]


@pytest.mark.slow
async def test_a_push_that_failed_is_listed_shown_and_sent_again_with_the_same_id(site, application, told):
    application.answers = [400, 400]
    await told(status_channel="push")
    await site.send("Refused twice")
    await site.until(lambda: notices(site) == [("result", "push", "failed")])
    (listed,) = json.loads(await site.command("push", "list", "--state", "failed", "--since", "1h", "--json"))
    assert (listed["customer"], listed["event"], listed["attempts"]) == ("demo", "result", 1)
    assert "It answered with status 400." in await site.command("push", "show", listed["push"])
    await site.command("push", "replay", listed["push"])
    await application.has(2)
    await site.until(lambda: notices(site) == [("result", "push", "failed")])
    said = await site.command("push", "replay", "--failed", "--since", "1h", "--customer", "demo")
    assert said.strip().endswith("are sent again: 1.")
    await application.has(3)
    await site.until_all_told()
    (seen,) = {push.headers["webhook-id"] for push in application.pushes}
    assert seen == listed["push"].replace(".", "_")
    assert f"push: {listed['push']}\n" in await site.command("push", "show", seen)
    assert "push.replay" in await site.command("people", "audit")
    assert "is sent: only one that has ended" not in await site.command("push", "replay", listed["push"])
    assert "There is no push N.0" in await site.command("push", "replay", "N.0", code=1)


@pytest.mark.slow
async def test_a_template_of_its_own_gives_a_customers_status_pushes_another_form(site, application, told, tmp_path):
    secret = await told(status_channel="push")
    own = tmp_path / "own.xml"
    own.write_text("<job id={{ jobId }}/>", "utf-8")
    words = ("push", "template", "set", "--customer", "demo", "--form", "xml", str(own))
    assert "what it makes is no XML" in await site.command(*words, code=1)
    own.write_text('<job id="{{ jobId }}">{% for one in recipients %}<to>{{ one.dst }}</to>{% endfor %}</job>', "utf-8")
    await site.command(*words)
    job = await site.send("In XML")
    (push,) = await application.has(1)
    assert push.body.decode() == f'<job id="{job}"><to>{NUMBER}</to></job>'
    assert push.headers["content-type"] == "application/xml; charset=utf-8"
    assert push.is_signed_with(secret)
    await site.command("push", "template", "reset", "--customer", "demo")
    job = await site.send("In JSON")
    assert (await application.has(2))[1].report["jobId"] == job


async def test_each_message_is_pushed_at_the_states_that_its_customer_names_once_and_in_order_through_a_kill(
    site, application, told
):
    numbers = ("+447700900101", "+447700900102")
    script = Script(receipt_delay=0.0, states={"447700900102": ReceiptState.UNDELIVERABLE})
    application.answers = [None, None]
    secret = await told(script, status_channel="push", push_states="sent,delivered,undelivered", delivery_receipt="on")
    job = await site.send("One each", to=numbers)
    await application.has(2)
    await site.until(lambda: set(site.state(job).values()) == {"delivered", "undelivered"})
    await site.kill()  # while the application still thinks
    await site.start()
    await site.until_all_told()
    assert notices(site) == [("message", "push", "sent")] * 4
    heard = {push.headers["webhook-id"]: push for push in application.pushes}  # repetitions folded, in order
    assert len(heard) == 4
    said = [(push.report["event"], push.report["jobId"]) for push in heard.values()]
    assert said == [("message", job)] * 4
    states: dict[str, list[str]] = {}
    for push in heard.values():
        assert push.is_verified_with(secret)
        (recipient,) = push.report["recipients"]
        states.setdefault(recipient["dst"], []).append(recipient["state"])
    assert states == {numbers[0]: ["submitted", "delivered"], numbers[1]: ["submitted", "undelivered"]}
