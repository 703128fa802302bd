"""Templates of pushes, and what an action of this kind may say: tried before it counts, whatever an author writes."""

import json

import pytest

from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.push_actions import check_push
from gateway.admin.push_templates import PushTopic, PushWorkshop
from inbound.actions import PushAction, PushForm, PushLogin
from sms.settings import PUSH_STATES
from templates.pushes import standard_push_template

URL = "https://app.example.com/sms"
NETWORKS = {"example ltd": ("10.20.0.0/16", "127.0.0.0/8")}


@pytest.fixture(scope="module")
def workshop():
    workshop = PushWorkshop()
    yield workshop
    workshop.close()


@pytest.mark.parametrize("topic", PushTopic)
@pytest.mark.parametrize("form", PushForm)
def test_the_standard_templates_are_good_templates(workshop, form, topic):
    assert workshop.find_faults(form, standard_push_template(form, topic.value), topic) == []


@pytest.mark.parametrize(
    ("form", "source", "fault"),
    [
        (PushForm.XML, "<a>{{ txet }}</a>", "line 1: nothing is called «txet» here; did you mean «text»?"),
        (PushForm.XML, "<a>{{ text }}</b>", "what it makes is no XML; its line 1: mismatched tag"),
        (PushForm.XML, "{{ text }}", "what it makes is no XML"),
        (PushForm.XML, '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "a push has no DOCTYPE"),
        (PushForm.XML, "<a>{{ text }", "line 1: "),
        (PushForm.JSON, '{"text":"{{ text }}"}', "A value brings its own quotes"),
        (PushForm.JSON, "[" * 60_000, "what it makes is no JSON"),
        (PushForm.KEY_VALUE, "text", "has a line that is no name=value"),
        (PushForm.KEY_VALUE, "my text={{ text }}", "has a line that is no name=value, encoded as in a URL: my text="),
        (PushForm.KEY_VALUE, "{{ missing }}", "a list can't be written as one value"),
        (PushForm.JSON, '{% include "/etc/passwd" %}', "a template can't use other templates"),
        (PushForm.JSON, "{{ text|escape }}", "No filter named 'escape'"),
        (PushForm.JSON, "{{ text.__class__ }}", "unsafe"),
        (PushForm.JSON, "{{ ('x' * 9999999999)|length }}", "the operator * is only for numbers here"),
        (PushForm.SOAP, "x" * 64_001, "64000 are allowed"),
    ],
)
def test_what_is_wrong_with_a_template_is_said_to_its_author(workshop, form, source, fault):
    (found,) = workshop.find_faults(form, source)
    assert fault in found


def test_a_template_that_never_ends_is_stopped(workshop):
    loop = "{% for a in text %}" * 9 + "{{ a }}" + "{% endfor %}" * 9
    (found,) = workshop.find_faults(PushForm.XML, f"<a>{loop}</a>")
    assert "seconds" in found or "characters" in found


def test_fields_are_reordered_renamed_left_out_added_and_formatted_by_a_template(workshop):
    source = '{"v":2,"body":{{ text }},"from":{{ "tel:" ~ src }},"gaps":{{ missing }},"late":{{ late }},"word":{{ keyword }}}'
    bodies = [json.loads(body) for body in workshop.preview(PushForm.JSON, source)]
    assert {tuple(body) for body in bodies} == {("v", "body", "from", "gaps", "late", "word")}
    assert {body["from"] for body in bodies} >= {"tel:+447700900123"}
    assert [2] in [body["gaps"] for body in bodies]
    assert {body["late"] for body in bodies} == {True, False}


def test_each_line_of_a_key_value_template_is_one_pair_and_nothing_is_written_for_none(workshop):
    body = next(workshop.preview(PushForm.KEY_VALUE, "a={{ src }}\n\n  b={{ late }}&c={{ none }}\n"))
    assert body == "a=%2B447700900123&b=false&c="


def cause_of(settings: PushAction, customer: str = "Example Ltd") -> str:
    with pytest.raises(AdminFault) as caught:
        check_push(settings, customer, NETWORKS)
    assert caught.value.code is FaultCode.BAD_PUSH
    return str(caught.value.facts["cause"])


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://app.example.com:8443/a?b=c",
        "https://8.8.8.8/",
        "http://10.20.30.40/sms",
        "https://127.0.0.1/",
        "http://localhost:8080/",
        "http://intern.example.com/",
    ],
)
def test_a_target_in_public_or_in_a_network_that_is_allowed_may_be_set(url):
    check_push(PushAction(url=url), "EXAMPLE LTD", NETWORKS)


@pytest.mark.parametrize(
    ("url", "customer", "cause"),
    [
        ("http://app.example.com/", "Other", "plain http to app.example.com is not allowed to this customer"),
        ("http://8.8.8.8/", "Example Ltd", "plain http to 8.8.8.8 is not allowed to this customer"),
        ("https://127.0.0.1/", "Other", "127.0.0.1 is not a public address"),
        ("https://localhost/", "Other", "127.0.0.1 is not a public address"),
        ("https://10.21.0.1/", "Example Ltd", "10.21.0.1 is not a public address"),
        ("https://[::ffff:10.21.0.1]/", "Example Ltd", "is not a public address"),
        ("https://169.254.169.254/", "Example Ltd", "169.254.169.254 is not a public address"),
        ("https://anna:secret@app.example.com/", "Example Ltd", "the login stands in user and password_file"),
        ("https://app.example.com/#part", "Example Ltd", "fragment"),
        ("ftp://app.example.com/", "Example Ltd", "is no URL such as"),
        ("https://app.example.com:99999/", "Example Ltd", "is no URL"),
        ("https:///sms", "Example Ltd", "is no URL such as"),
        ("https://app.example.com/ä", "Example Ltd", "is no URL such as"),
    ],
)
def test_any_other_target_is_refused_with_the_way_to_allow_it(url, customer, cause):
    said = cause_of(PushAction(url=url), customer)
    assert cause in said
    assert ("[[push.allow]]" in said) == ("public" in cause or "plain" in cause)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"method": "GET"}, "the method «GET» is none of POST and PUT"),
        ({"headers": {"Authorization": "Bearer x"}}, "the header Authorization is ours"),
        ({"headers": {"webhook-ID": "x"}}, "the header webhook-ID is ours"),
        ({"headers": {"X Y": "x"}}, "«X Y» is no header"),
        ({"headers": {"X": "a\r\nB: c"}}, "«X» is no header"),
        ({"login": PushLogin.BASIC}, "needs a user without colon, and a password_file"),
        ({"login": PushLogin.BASIC, "user": "a", "password_file": "relative"}, "does not begin with /"),
        ({"login": PushLogin.DIGEST, "user": "a", "password_file": "/no/such/file"}, "can't be read: No such file"),
        ({"user": "anna"}, "need a login, basic or digest"),
    ],
)
def test_what_a_push_cannot_bring_is_refused(changes, cause):
    assert cause in cause_of(PushAction(url=URL, **changes))


def test_a_template_for_status_pushes_is_shown_and_tried_with_single_messages_too(workshop):
    source = '{"what":{{ event }},"recipients":{{ recipients }}}'
    bodies = [json.loads(body) for body in workshop.preview(PushForm.JSON, source, PushTopic.STATUS)]
    alone = [body["recipients"] for body in bodies if body["what"] == "message"]
    assert {one["state"] for (one,) in alone} == {state.value for state in PUSH_STATES}
    faulty = "{% if event == 'message' %}{{ job }}{% endif %}{{ recipients }}"
    assert len(workshop.find_faults(PushForm.JSON, faulty, PushTopic.STATUS)) == 1
