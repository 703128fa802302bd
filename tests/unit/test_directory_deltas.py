"""What a delta is made of, and every way in which a server leaves it in doubt: answers that no server of a test gives."""

import base64
import json
import uuid

import pytest

from addressbook.sources import DeltaMethod, LdapSource, LdapTls
from dirsync.ber import BOOLEAN, ENUMERATED, OCTET_STRING, SEQUENCE, element, integer
from dirsync.controls import DIRSYNC, SYNC_DONE, SYNC_STATE, SyncState, dirsync_request
from dirsync.deltas import MOST, Delta, Doubt, DoubtCode, first_cookie, read_delta
from dirsync.source import FoundEntry, ReadFault, ReadFaultCode, SearchAnswer, SearchScope
from tests.kit.fake_directory import FakeDirectory

TOP = "DC=example,DC=org"
PEOPLE = f"OU=People,{TOP}"
SERVICE = f"CN=NTDS Settings,CN=DC1,CN=Configuration,{TOP}"
ATTRIBUTES = ("mail", "mobile")
MOMENT = b"rid=000,csn=20261130000000.000000Z#000000#000#000000"
LATER = b"rid=000,csn=20261130000001.000000Z#000000#000#000000"


def source_of(delta: DeltaMethod) -> LdapSource:
    return LdapSource(
        host="dc1", port=636, tls=LdapTls.LDAPS, base=PEOPLE, filter="(&(objectClass=person)(c=GB))", delta=delta
    )


@pytest.fixture
def directory() -> FakeDirectory:
    fake = FakeDirectory(context=TOP)
    fake.root |= {"dsservicename": (SERVICE.encode(),), "highestcommittedusn": (b"700",)}
    fake.add(SERVICE, objectClass="nTDSDSA")
    fake.entries[SERVICE]["invocationid"] = (uuid.UUID(int=7).bytes_le,)
    fake.add(PEOPLE, objectClass="organizationalUnit", uSNChanged="1")
    for name in ("ann", "bob"):
        fake.add(dn(name), objectClass="person", c="GB", mail=f"{name}@example.com", uSNChanged="100")
    return fake


def dn(name: str) -> str:
    return f"CN={name},{PEOPLE}"


def anchor(directory: FakeDirectory, name: str) -> str:
    return str(uuid.UUID(bytes_le=directory.entries[dn(name)]["objectguid"][0]))


def read(directory: FakeDirectory, delta: DeltaMethod, octets: bytes) -> Delta | Doubt:
    """Read what changed since a cookie of the same server."""
    return read_delta(directory, source_of(delta), ATTRIBUTES, {}, kept(delta, octets))


def kept(delta: DeltaMethod, octets: bytes) -> str:
    server = "dc1:636" if delta is DeltaMethod.SYNCREPL else f"{SERVICE} {uuid.UUID(int=7).bytes_le.hex()}"
    cookie = base64.b64encode(octets).decode()
    return json.dumps({"method": delta.value, "server": server, "cookie": cookie, "groups": {}})


def octets_of(cookie: str) -> bytes:
    return base64.b64decode(json.loads(cookie)["cookie"])


def of_dirsync(more: int, cookie: bytes, *found: FoundEntry) -> SearchAnswer:
    return SearchAnswer(code=0, found=found, controls={DIRSYNC: dirsync_request(more, 0, cookie)})


def changed(directory: FakeDirectory, *names: str) -> list[FoundEntry]:
    """Return what DirSync says of entries: hardly anything."""
    return [
        FoundEntry(dn=dn(name), attributes={"objectguid": directory.entries[dn(name)]["objectguid"]}) for name in names
    ]


def of_syncrepl(*found: tuple[SyncState, int], cookie: bytes = LATER, deletes: bool = True) -> SearchAnswer:
    done = element(SEQUENCE, element(OCTET_STRING, cookie), integer(-1 if deletes else 0, BOOLEAN))
    return SearchAnswer(
        code=0,
        found=tuple(
            FoundEntry(dn=f"uid={number},{PEOPLE}", controls={SYNC_STATE: state_of(state, number)})
            for state, number in found
        ),
        controls={SYNC_DONE: done},
    )


def state_of(state: SyncState, number: int) -> bytes:
    return element(SEQUENCE, integer(state, ENUMERATED), element(OCTET_STRING, uuid.UUID(int=number).bytes))


def doubt(directory: FakeDirectory, delta: DeltaMethod, octets: bytes = MOMENT) -> DoubtCode:
    found = read(directory, delta, octets)
    assert isinstance(found, Doubt), found
    return found.code


def test_dirsync_is_asked_on_until_there_is_no_more_and_the_changed_are_read_whole(directory):
    directory.answers = [
        of_dirsync(1, b"second", *changed(directory, "ann")),
        of_dirsync(1, b"third"),
        of_dirsync(0, b"fourth", *changed(directory, "bob", "ann")),
    ]
    found = read(directory, DeltaMethod.DIRSYNC, b"first")
    assert isinstance(found, Delta)
    assert {entry.dn: entry.attributes["mail"] for entry in found.entries} == {
        dn("ann"): (b"ann@example.com",),
        dn("bob"): (b"bob@example.com",),
    }
    assert (octets_of(found.cookie), found.gone) == (b"fourth", frozenset())
    asked = [value for request in directory.requests for oid, _, value in request.controls if oid == DIRSYNC]
    assert asked == [dirsync_request(0, 1 << 20, cookie) for cookie in (b"first", b"second", b"third")]


def test_dirsync_is_asked_for_what_the_mapping_and_the_filter_need_in_the_whole_naming_context(directory):
    directory.answers = [of_dirsync(0, b"second")]
    read(directory, DeltaMethod.DIRSYNC, b"first")
    (request,) = [request for request in directory.requests if request.controls]
    assert request.base == TOP
    assert {"mail", "mobile", "objectClass", "c", "name", "isDeleted", "objectGUID"} == set(request.attributes)


def test_an_account_without_the_right_to_replicate_asks_for_what_it_may_see(directory):
    directory.answers = [SearchAnswer(code=50, said="50"), of_dirsync(0, b"second")]
    assert isinstance(read(directory, DeltaMethod.DIRSYNC, b"first"), Delta)
    asked = [request.controls[0][2] for request in directory.requests if request.controls]
    assert asked == [dirsync_request(flags, 1 << 20, b"first") for flags in (0, 1)]


def test_dirsync_that_never_comes_to_its_end_asks_for_a_complete_reading(directory):
    directory.answers = [of_dirsync(1, b"second"), of_dirsync(1, b"third"), of_dirsync(1, b"second")]
    assert doubt(directory, DeltaMethod.DIRSYNC, b"first") is DoubtCode.ENDLESS
    assert not directory.answers


def test_dirsync_that_names_more_than_a_delta_may_asks_for_a_complete_reading(directory):
    guids = (uuid.UUID(int=number).bytes_le for number in range(1, MOST + 2))
    everybody = [FoundEntry(dn=str(guid), attributes={"objectguid": (guid,)}) for guid in guids]
    directory.answers = [of_dirsync(1, b"second", *everybody)]
    assert doubt(directory, DeltaMethod.DIRSYNC, b"first") is DoubtCode.TOO_MANY


@pytest.mark.parametrize(
    "answer",
    [
        SearchAnswer(code=53, said="53 unwillingToPerform"),
        SearchAnswer(code=12, said="12 unavailableCriticalExtension"),
        SearchAnswer(code=0),
        SearchAnswer(code=0, controls={DIRSYNC: b"\x30\x03\x02\x01"}),
        of_dirsync(0, b"second", FoundEntry(dn="CN=nameless")),
        of_dirsync(0, b"second", FoundEntry(dn="CN=cut", attributes={"objectguid": (b"short",)})),
    ],
    ids=["unwilling", "no such control", "no control", "a cut control", "no GUID", "a cut GUID"],
)
def test_dirsync_that_is_refused_or_not_understood_asks_for_a_complete_reading(directory, answer):
    directory.answers = [answer]
    assert doubt(directory, DeltaMethod.DIRSYNC, b"first") is DoubtCode.REFUSED


def test_the_highest_number_is_read_before_the_query_so_that_no_change_falls_between(directory):
    bob = directory.entries[dn("bob")]
    bob["usnchanged"] = (b"650",)

    def change(request: object) -> None:
        directory.root["highestcommittedusn"] = (b"900",)

    directory.before_search = change
    found = read(directory, DeltaMethod.USN, b"600")
    assert isinstance(found, Delta)
    assert ([entry.dn for entry in found.entries], octets_of(found.cookie)) == ([dn("bob")], b"700")
    (again,) = [request for request in directory.requests if "uSNChanged" in request.filter]
    assert again.base == TOP
    assert again.filter.startswith("(&(uSNChanged>=601)(|")


def test_a_number_that_is_none_asks_for_a_complete_reading(directory):
    for octets in (b"", b"0", b"-1", b"many"):
        assert doubt(directory, DeltaMethod.USN, octets) is DoubtCode.WENT_BACK


def test_an_entry_that_no_longer_is_what_the_filter_means_is_gone(directory):
    directory.entries[dn("bob")] |= {"usnchanged": (b"650",), "c": (b"DE",)}
    found = read(directory, DeltaMethod.USN, b"600")
    assert isinstance(found, Delta)
    assert not found.entries
    assert found.gone == {anchor(directory, "bob")}


def test_what_is_no_person_does_not_matter_and_a_branch_that_changed_asks_for_a_complete_reading(directory):
    directory.add("CN=pc,DC=example,DC=org", objectClass=["person", "computer"], uSNChanged="650")
    directory.add("CN=printers,DC=example,DC=org", objectClass="group", uSNChanged="650")
    found = read(directory, DeltaMethod.USN, b"600")
    assert isinstance(found, Delta)
    assert (found.entries, found.gone) == ((), frozenset())
    directory.entries[PEOPLE]["usnchanged"] = (b"650",)
    assert doubt(directory, DeltaMethod.USN, b"600") is DoubtCode.BRANCH_CHANGED


def test_a_server_whose_entry_says_no_domain_controller_offers_no_delta(directory):
    del directory.root["dsservicename"]
    for method in (DeltaMethod.USN, DeltaMethod.DIRSYNC):
        refused = first_cookie(directory, source_of(method), {})
        assert isinstance(refused, Doubt)
        assert refused.code is DoubtCode.NOT_OFFERED


def test_the_first_cookie_is_of_now_and_names_the_server_and_the_groups(directory):
    directory.answers = [of_dirsync(1, b"halfway"), of_dirsync(0, b"now")]
    cookie = first_cookie(directory, source_of(DeltaMethod.DIRSYNC), {"CN=a": "digest"})
    assert isinstance(cookie, str)
    assert octets_of(cookie) == b"now"
    assert json.loads(cookie)["server"] == f"{SERVICE} {uuid.UUID(int=7).bytes_le.hex()}"
    assert json.loads(cookie)["groups"] == {"CN=a": "digest"}
    assert first_cookie(directory, source_of(DeltaMethod.NONE), {}) == ""


def test_a_restored_domain_controller_has_another_invocation_and_asks_for_a_complete_reading(directory):
    directory.entries[SERVICE]["invocationid"] = (uuid.UUID(int=8).bytes_le,)
    for method in (DeltaMethod.USN, DeltaMethod.DIRSYNC):
        assert doubt(directory, method, b"600") is DoubtCode.OTHER_SERVER


def test_a_server_that_requires_a_refresh_asks_for_one_complete_reading(directory):
    directory.answers = [SearchAnswer(code=4096, said="4096 e-syncRefreshRequired")]
    assert doubt(directory, DeltaMethod.SYNCREPL) is DoubtCode.REFUSED
    assert [request.scope for request in directory.requests] == [SearchScope.SUBTREE]


def test_an_entry_that_is_there_again_is_not_gone_and_a_present_one_did_not_change(directory):
    directory.answers = [
        of_syncrepl((SyncState.DELETE, 1), (SyncState.ADD, 1), (SyncState.DELETE, 2), (SyncState.PRESENT, 3))
    ]
    found = read(directory, DeltaMethod.SYNCREPL, MOMENT)
    assert isinstance(found, Delta)
    assert [entry.anchor for entry in found.entries] == [str(uuid.UUID(int=1))]
    assert found.gone == {str(uuid.UUID(int=2))}
    assert octets_of(found.cookie) == LATER


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (of_syncrepl(deletes=False), DoubtCode.ALL_AGAIN),
        (of_syncrepl(cookie=LATER.replace(b"#000#", b"#001#")), DoubtCode.OTHER_SERVER),
        (of_syncrepl(cookie=b"unknown"), DoubtCode.OTHER_SERVER),
        (SearchAnswer(code=0), DoubtCode.REFUSED),
        (SearchAnswer(code=0, controls={SYNC_DONE: b"\x30\x7f"}), DoubtCode.REFUSED),
        (
            SearchAnswer(code=0, found=(FoundEntry(dn="stateless"),), controls=of_syncrepl().controls),
            DoubtCode.REFUSED,
        ),
        (SearchAnswer(code=4), DoubtCode.TOO_MANY),
        (SearchAnswer(code=53), DoubtCode.REFUSED),
    ],
)
def test_a_synchronisation_in_any_doubt_asks_for_a_complete_reading(directory, answer, code):
    directory.answers = [answer]
    assert doubt(directory, DeltaMethod.SYNCREPL) is code


@pytest.mark.parametrize("code", [51, 52, 80])
@pytest.mark.parametrize("method", [DeltaMethod.SYNCREPL, DeltaMethod.DIRSYNC])
def test_a_server_that_is_busy_is_asked_again_later_and_the_cookie_stays(directory, method, code):
    directory.answers = [SearchAnswer(code=code, said=f"{code}")]
    with pytest.raises(ReadFault) as fault:
        read(directory, method, MOMENT)
    assert fault.value.code is ReadFaultCode.BUSY
    assert fault.value.is_passing


def test_an_attribute_that_the_server_computes_from_other_entries_asks_for_a_complete_reading(directory):
    cookie = kept(DeltaMethod.USN, b"600")
    found = read_delta(directory, source_of(DeltaMethod.USN), ("mail", "memberOf"), {}, cookie)
    assert isinstance(found, Doubt)
    assert (found.code, found.facts) == (DoubtCode.BACK_LINK, {"attribute": "memberOf"})


def test_a_doubt_says_what_it_is_about(directory):
    directory.answers = [SearchAnswer(code=53, said="53 unwillingToPerform consumer state is newer than provider!")]
    found = read(directory, DeltaMethod.SYNCREPL, MOMENT)
    assert str(found) == "refused: {'result': '53 unwillingToPerform consumer state is newer than provider!'}"
