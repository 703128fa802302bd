"""What the operator's file says of TLS towards one domain arrives in its policy."""

from config.model import Config, load_config

TEXT = """
[server]
hostname = "gateway.example.net"
domains = ["sms.example.net"]

[[listener]]
name = "plain"
address = "127.0.0.1:2525"

[[carrier]]
name = "sandbox"
kind = "sandbox"

[[mail.tls]]
domain = "example.org"
level = "encrypt"
ciphers = "{ciphers}"
"""


def load(tmp_path, ciphers):
    file = tmp_path / "mail2sms.toml"
    file.write_text(TEXT.format(ciphers=ciphers))
    return load_config(file)


def test_a_list_of_ciphers_is_part_of_the_policy(tmp_path):
    config = load(tmp_path, "ECDHE+AESGCM:!aNULL")
    assert isinstance(config, Config)
    assert config.mail.tls_policies[0].policy.ciphers == "ECDHE+AESGCM:!aNULL"


def test_what_is_no_list_of_ciphers_is_an_error_with_its_line(tmp_path):
    problems = load(tmp_path, "good; rm")
    assert not isinstance(problems, Config)
    assert [(problem.line, "OpenSSL list" in problem.message) for problem in problems] == [(17, True)]
