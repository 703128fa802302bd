"""Whatever a directory's server does in the middle of a reading, nothing of that reading may be used."""

from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from itertools import count

import pytest

from addressbook.sources import BindMethod, LdapTls, SourceKind
from dirsync.ldap import LdapReader
from dirsync.source import ReadFault, ReadFaultCode
from tests.kit.ldap_server import LdapServer, Manner, anchor_of, pin_of
from tests.kit.mail_servers import issue, make_authority, make_intermediate, server_context
from tests.kit.ports import free_port

F = ReadFaultCode


@pytest.fixture
def password_file(tmp_path):
    file = tmp_path / "reader.password"
    file.touch(0o600)
    file.write_text("what the reader knows\n")
    return file


@pytest.fixture
def serve(password_file):
    """Start servers that end with the test."""
    with ExitStack() as stack:
        yield lambda **manners: stack.enter_context(LdapServer(password_file=password_file, **manners))


def read(source, **options):
    """Return the anchors of a whole reading."""
    with LdapReader(source, SourceKind.OPENLDAP, ("mail",), **options) as reader:
        return [entry.anchor for page in reader.read_all() for entry in page]


def fault_of(source, **options):
    """Return the fault that ends a reading."""
    with pytest.raises(ReadFault) as raised:
        read(source, **options)
    return raised.value


@pytest.mark.parametrize("page", [1, 2, 4])
@pytest.mark.parametrize(
    ("result", "fault", "is_passing"),
    [
        (3, F.TIME_LIMIT, True),
        (4, F.SIZE_LIMIT, False),
        (10, F.REFERRAL, False),
        (11, F.ADMIN_LIMIT, False),
        (12, F.NO_PAGING, False),
        (32, F.NO_BASE, False),
        (50, F.OTHER, False),
        (51, F.BUSY, True),
        (52, F.BUSY, True),
        (80, F.BUSY, True),
    ],
)
def test_a_result_other_than_success_on_any_page_makes_the_reading_incomplete(serve, result, fault, is_passing, page):
    found = fault_of(serve(on_page={page: result}).source())
    assert (found.code, found.is_passing) == (fault, is_passing)
    if "entries" in found.facts:
        assert found.facts["entries"] == 3 * (page - 1) + (1 if page == 4 else 2)


@pytest.mark.parametrize("page", [1, 2, 4])
@pytest.mark.parametrize(
    "manner",
    [Manner.CLOSES, Manner.CUTS, Manner.RESETS, Manner.SAYS_GOODBYE, Manner.GARBLES, Manner.ANSWERS_ANOTHER],
)
def test_a_server_that_disconnects_or_garbles_in_the_middle_of_a_page_makes_the_reading_incomplete(serve, manner, page):
    found = fault_of(serve(on_page={page: manner}).source())
    assert (found.code, found.is_passing) == (F.CUT, True)


@pytest.mark.parametrize("page", [1, 3])
def test_a_server_that_hangs_in_the_middle_of_a_page_is_waited_for_so_long_and_no_longer(serve, page):
    found = fault_of(serve(on_page={page: Manner.HANGS}).source(answer_seconds=0.05))
    assert (found.code, found.is_passing) == (F.SILENT, True)


def test_a_reading_ends_with_its_deadline_however_steadily_the_server_goes_on(serve):
    ticks = count(step=10)
    found = fault_of(serve(entries=300).source(deadline_seconds=250.0), monotonic=lambda: float(next(ticks)))
    assert found.code == F.TOO_LONG
    assert 0 < found.facts["entries"] < 300


def test_the_deadline_ends_the_wait_for_a_server_that_hangs(serve):
    found = fault_of(serve(on_page={2: Manner.HANGS}).source(deadline_seconds=0.5))
    assert found.code == F.TOO_LONG


def test_a_base_that_is_missing_is_a_fault_of_the_configuration_and_no_empty_directory(serve):
    found = fault_of(serve(on_page={1: 32}, entries=0).source())
    assert (found.code, found.facts) == (F.NO_BASE, {"base": "dc=example,dc=com"})


@pytest.mark.parametrize("page", [1, 2, 4])
def test_an_answer_without_the_control_of_the_next_page_is_not_taken_for_the_last_page(serve, page):
    assert fault_of(serve(on_page={page: Manner.FORGETS_PAGING}).source()).code == F.NO_PAGING


@pytest.mark.parametrize("manner", [Manner.REPEATS, Manner.STARTS_AGAIN])
def test_a_cookie_that_repeats_without_a_new_entry_ends_the_reading(serve, manner):
    assert fault_of(serve(on_page={3: manner}).source()).code == F.COOKIE_REPEATS


def test_a_reference_to_another_server_makes_the_reading_incomplete_and_is_not_followed(serve):
    elsewhere = serve()
    uri = f"ldap://127.0.0.1:{elsewhere.port}/dc=example,dc=com"
    server = serve(on_page={2: Manner.REFERS}, uri=uri)
    found = fault_of(server.source())
    assert (found.code, found.facts) == (F.REFERRAL, {"uri": uri})
    assert elsewhere.asked == []


def test_a_reference_that_the_operator_does_not_want_is_no_fault(serve):
    server = serve(on_page={2: Manner.REFERS})
    assert len(read(server.source(ignored_referrals=(server.uri.upper(),)))) == 10


def test_a_referral_as_the_result_is_not_followed(serve):
    elsewhere = serve()
    uri = f"ldap://127.0.0.1:{elsewhere.port}/dc=example,dc=com"
    server = serve(on_page={1: 10}, uri=uri)
    assert fault_of(server.source()).facts == {"uri": uri}
    assert elsewhere.asked == []


def test_an_entry_that_moves_to_another_page_meanwhile_comes_once(serve):
    server = serve(on_page={2: Manner.REPEATS_THE_LAST_ENTRY})
    assert read(server.source()) == [anchor_of(number) for number in range(1, 11)]


def test_an_entry_without_an_anchor_makes_the_reading_incomplete(serve):
    found = fault_of(serve(on_page={2: Manner.NAMELESS}).source())
    assert (found.code, found.facts) == (
        F.NO_ANCHOR,
        {"dn": "uid=user4,dc=example,dc=com", "attribute": "entryUUID"},
    )


def test_a_sample_ends_after_as_many_entries_as_are_wanted(serve):
    server = serve(entries=100)
    with LdapReader(server.source(page_size=50), SourceKind.OPENLDAP, ()) as reader:
        assert [len(page) for page in reader.read_all(most=10)] == [10]


# How we come to a connection that is safe and bound.


def test_a_server_that_is_not_there_is_unreachable(password_file, serve):
    found = fault_of(serve().source(port=free_port()))
    assert (found.code, found.is_passing) == (F.UNREACHABLE, True)
    assert found.facts == {"host": "127.0.0.1", "cause": "Connection refused"}


@pytest.mark.parametrize("host", ["directory.invalid", "a..example.com"])
def test_a_name_that_dns_does_not_know_is_unreachable(serve, host):
    assert fault_of(serve().source(host=host)).code == F.UNREACHABLE


def test_a_refused_bind_issues_no_search_and_is_not_tried_again(serve):
    server = serve(bind_code=49)
    found = fault_of(server.source())
    assert (found.code, found.is_passing) == (F.BIND_REFUSED, False)
    assert found.facts == {"name": "cn=reader", "result": "49 invalidCredentials this is result 49"}
    assert {"bind"} <= set(server.asked) <= {"bind", "unbind"}


@pytest.mark.parametrize("result", [51, 52, 80])
def test_a_server_that_is_too_busy_to_bind_may_be_tried_again(serve, result):
    found = fault_of(serve(bind_code=result).source())
    assert (found.code, found.is_passing) == (F.BUSY, True)


@pytest.mark.parametrize("who", [b"", b"dn:"])
@pytest.mark.parametrize("bind", BindMethod)
def test_who_is_bound_as_nobody_reads_nothing(serve, who, bind):
    server = serve(who=who)
    assert fault_of(server.source(bind=bind)).code == F.BOUND_AS_NOBODY
    assert "search" not in server.asked


def test_a_server_that_cannot_say_who_we_are_is_read(serve):
    assert len(read(serve(who=None).source())) == 10


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"bind_dn": ""}, F.BOUND_AS_NOBODY),
        ({"password_file": ""}, F.FILE_UNREADABLE),
        ({"password_file": "/nowhere/reader.password"}, F.FILE_UNREADABLE),
    ],
)
def test_without_a_name_or_a_password_nobody_is_asked(serve, changes, fault):
    server = serve()
    assert fault_of(server.source(**changes)).code == fault
    assert "bind" not in server.asked


def test_an_empty_password_is_not_sent(serve, password_file):
    password_file.write_text("\n")
    server = serve()
    found = fault_of(server.source())
    assert (found.code, found.facts) == (F.FILE_UNREADABLE, {"file": str(password_file), "cause": "it is empty"})
    assert server.asked == []


def test_a_password_that_others_may_read_is_not_used(serve, password_file):
    password_file.chmod(0o604)
    server = serve()
    found = fault_of(server.source())
    assert (found.code, found.facts) == (F.FILE_EXPOSED, {"file": str(password_file)})
    assert server.asked == []


def test_a_filter_that_is_none_is_told_before_anything_is_asked(serve):
    server = serve()
    found = fault_of(server.source(filter="(mail=*"))
    assert (found.code, found.facts["filter"]) == (F.BAD_FILTER, "(mail=*")
    assert "search" not in server.asked


@pytest.mark.parametrize("host", ["192.0.2.1", "::ffff:192.0.2.1"])
def test_nothing_goes_in_clear_to_another_host(serve, host):
    assert fault_of(serve().source(host=host)).code == F.CLEAR_TEXT


# TLS: what is not proven never sees the password.

ROOT = make_authority("Directory root")
issue_host = partial(issue, names=("localhost",), addresses=("127.0.0.1",))


@pytest.fixture
def ca_file(tmp_path):
    file = tmp_path / "authority.pem"
    file.write_bytes(ROOT.pem)
    return file


@pytest.mark.parametrize("tls", [LdapTls.LDAPS, LdapTls.STARTTLS])
@pytest.mark.parametrize(
    ("identity", "cause"),
    [
        (lambda: issue_host(ROOT, start=timedelta(days=-9), end=timedelta(days=-2)), "certificate has expired"),
        (lambda: issue_host(make_authority("Stranger")), "unable to get local issuer certificate"),
        (issue_host, "self-signed certificate"),
        (lambda: issue(ROOT, names=("other.example.com",)), "certificate is not valid for '127.0.0.1'"),
    ],
    ids=["expired", "of another authority", "self-signed", "of another host"],
)
def test_a_certificate_that_does_not_hold_ends_the_reading_with_its_reason(serve, tls, identity, cause, ca_file):
    server = serve(context=server_context(identity(), ca_file.parent), implicit=tls is LdapTls.LDAPS)
    found = fault_of(server.source(tls, ca_file=str(ca_file)))
    assert found.code == F.TLS_FAILED
    assert cause in str(found.facts["cause"])
    assert server.asked in ([], ["starttls"])


@pytest.mark.parametrize("tls", [LdapTls.LDAPS, LdapTls.STARTTLS])
def test_a_certificate_that_holds_is_read_under(serve, tls, ca_file, tmp_path):
    server = serve(context=server_context(issue_host(ROOT), tmp_path), implicit=tls is LdapTls.LDAPS)
    assert len(read(server.source(tls, ca_file=str(ca_file)))) == 10
    assert {word for word in server.asked if not word.startswith("tls:")} <= {"starttls"}


@pytest.mark.parametrize("authority", ["old", "new"])
def test_two_authorities_in_one_file_allow_a_change_of_the_authority(serve, authority, tmp_path):
    roots = {"old": ROOT, "new": make_authority("Next root")}
    ca_file = tmp_path / "both.pem"
    ca_file.write_bytes(b"".join(root.pem for root in roots.values()))
    server = serve(context=server_context(issue_host(roots[authority]), tmp_path), implicit=True)
    assert len(read(server.source(LdapTls.LDAPS, ca_file=str(ca_file)))) == 10


def test_a_server_without_tls_where_ldaps_is_demanded_is_a_failure(serve, ca_file):
    server = serve()
    found = fault_of(server.source(LdapTls.LDAPS, ca_file=str(ca_file)))
    assert found.code == F.TLS_FAILED
    assert server.asked == []


@pytest.mark.parametrize("result", [1, 2, 12, 52, 53])
def test_no_bind_is_sent_where_starttls_is_refused(serve, result, ca_file):
    server = serve(start_tls=result)
    found = fault_of(server.source(LdapTls.STARTTLS, ca_file=str(ca_file)))
    assert found.code == F.STARTTLS_REFUSED
    assert server.asked == ["starttls"]


def test_no_bind_is_sent_where_the_server_agrees_to_starttls_and_goes_on_in_clear(serve, ca_file):
    server = serve(speaks_tls=False)
    found = fault_of(server.source(LdapTls.STARTTLS, ca_file=str(ca_file)))
    assert found.code in {F.TLS_FAILED, F.CUT}
    assert not {"bind", "search"} & set(server.asked)


def test_words_in_clear_after_the_consent_to_starttls_are_not_taken_for_words_under_tls(serve, ca_file, tmp_path):
    injected = bytes.fromhex("300c 020102 6107 0a0100 0400 0400")  # the bind succeeded
    server = serve(context=server_context(issue_host(ROOT), tmp_path), injected=injected)
    assert fault_of(server.source(LdapTls.STARTTLS, ca_file=str(ca_file))).code == F.STARTTLS_REFUSED
    assert "tls:bind" not in server.asked


@pytest.mark.parametrize("file", ["ca_file", "certificate_file"])
def test_a_file_for_tls_that_is_missing_ends_the_reading(serve, file, ca_file, tmp_path):
    server = serve(context=server_context(issue_host(ROOT), tmp_path), implicit=True)
    changes = {"ca_file": str(ca_file), "key_file": str(tmp_path / "peer.key"), file: "/nowhere/file.pem"}
    found = fault_of(server.source(LdapTls.LDAPS, **changes))
    assert found.code == F.TLS_FAILED
    assert "/nowhere/file.pem" in str(found.facts["cause"])


class TestPins:
    """Pins take an authority's place, or are asked for beside it."""

    old, new = issue_host(), issue_host()

    def server(self, serve, identity, folder):
        return serve(context=server_context(identity, folder), implicit=True)

    @pytest.mark.parametrize("identity", [old, new], ids=["before", "after"])
    def test_two_pins_allow_a_change_of_the_key(self, serve, tmp_path, identity):
        pins = (pin_of(self.old), pin_of(self.new))
        assert len(read(self.server(serve, identity, tmp_path).source(LdapTls.LDAPS, pins=pins))) == 10

    def test_a_key_that_is_no_pin_is_refused_and_told(self, serve, tmp_path):
        server = self.server(serve, self.new, tmp_path)
        found = fault_of(server.source(LdapTls.LDAPS, pins=(pin_of(self.old), "no pin")))
        assert (found.code, found.facts["found"]) == (F.PIN_MISMATCH, pin_of(self.new))
        assert server.asked == []

    def test_a_pinned_authority_stands_for_the_servers_that_it_signs(self, serve, tmp_path):
        middle = make_intermediate(ROOT)
        source = self.server(serve, issue_host(middle), tmp_path).source(LdapTls.LDAPS, pins=(pin_of(ROOT),))
        assert fault_of(source).code == F.PIN_MISMATCH  # a certificate does not name an address as a host
        assert (
            len(
                read(
                    self.server(serve, issue_host(middle), tmp_path).source(
                        LdapTls.LDAPS, host="localhost", pins=(pin_of(ROOT),)
                    )
                )
            )
            == 10
        )

    def test_a_pin_beside_an_authority_is_one_more_demand(self, serve, tmp_path, ca_file):
        signed = issue_host(ROOT)
        server = self.server(serve, signed, tmp_path)
        source = server.source(LdapTls.LDAPS, ca_file=str(ca_file), pins=(pin_of(self.old),))
        assert fault_of(source).code == F.PIN_MISMATCH
        for pinned in (signed, ROOT):
            source = server.source(LdapTls.LDAPS, host="localhost", ca_file=str(ca_file), pins=(pin_of(pinned),))
            assert len(read(source)) == 10
        stranger = self.server(serve, self.old, tmp_path)
        assert fault_of(stranger.source(LdapTls.LDAPS, ca_file=str(ca_file), pins=(pin_of(self.old),))).code == (
            F.TLS_FAILED
        )
