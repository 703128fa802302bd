"""How much one session may use, as a client that has proven nothing and as a customer; and how that is counted."""

from datetime import timedelta
from ipaddress import ip_address

import pytest

from gateway.limits import Rate, client_networks
from mta.smtp.engine.content import ContentRoom
from mta.smtp.server.quotas import ClientLimits, ContentRooms, CustomerLimits, CustomerQuotas, Quotas, SessionQuota
from tests.kit.clock import Clock

ACME, RIVAL = 1, 2
CLIENT, OTHER = "198.51.100.7", "198.51.100.8"


def test_an_address_counts_for_itself_and_one_of_ipv6_for_the_networks_around_it_too():
    assert client_networks("192.0.2.1") == client_networks("::ffff:192.0.2.1") == (("192.0.2.1", 1),)
    one, same, near, far = (
        dict(client_networks(address)).keys()
        for address in ("2001:db8:1::1", "2001:db8:1::2", "2001:db8:1:1::1", "2001:db8:1:100::1")
    )
    assert list(client_networks("2001:db8:1::1%eth0")) == list(client_networks("2001:db8:1::1"))
    assert (len(one), len(one & same), len(one & near), len(one & far)) == (3, 3, 2, 1)
    assert [times for _, times in client_networks("2001:db8::1")] == [1, 2, 4]


@pytest.mark.parametrize(("step", "most"), [(0, 3), (64, 6), (72, 12)])
def test_a_rate_bounds_the_networks_around_a_client(step, most):
    rate, first = Rate(3), int(ip_address("2001:db8:1::1"))
    clients = [str(ip_address(first + (number << step))) for number in range(20)]
    assert [rate.take_all(client_networks(client), 0.0) for client in clients] == [True] * most + [False] * (20 - most)
    assert rate.take_all(client_networks("2001:db8:2::1"), 0.0)


def test_what_is_given_back_can_be_taken_again_and_never_more_than_a_minutes_worth():
    rate = Rate(2)
    assert [rate.take("a", 0.0) for _ in range(3)] == [True, True, False]
    rate.give_back((("a", 1),), 0.0)
    assert [rate.take("a", 0.0) for _ in range(2)] == [True, False]
    for _ in range(9):
        rate.give_back((("a", 1),), 60.0)
    assert [rate.take("a", 60.0) for _ in range(3)] == [True, True, False]


def test_only_so_many_rates_are_kept_the_newest():
    rate = Rate(1, tallies=2)
    assert all(rate.take(key, 0.0) for key in range(3))
    assert [rate.take(key, 0.0) for key in (2, 1)] == [False, False]
    assert rate.take(0, 0.0)


def test_a_customer_has_so_many_connections_at_a_time_over_all_listeners():
    customers = CustomerQuotas(CustomerLimits(connections=2))
    listeners = [Quotas(customers=customers), Quotas(customers=customers)]
    sessions = [SessionQuota(listener) for listener in listeners]
    assert [one.begin_mail(ACME) for one in sessions + sessions] == [None] * 4
    third = SessionQuota(listeners[0])
    told = "421 4.7.0 Too many connections, try again later: at most 2 at a time from one customer"
    assert str(third.begin_mail(ACME)) == told
    assert not third.proven
    assert third.begin_mail(RIVAL) is None
    sessions[0].close()
    sessions[0].close()
    assert [SessionQuota(listeners[1]).begin_mail(ACME) is None for _ in range(2)] == [True, False]


def test_a_customers_connections_and_recipients_in_a_minute_are_bounded():
    clock = Clock()
    customers = CustomerQuotas(CustomerLimits(connections_per_minute=1, recipients_per_minute=2))
    quotas = Quotas(customers=customers, clock=clock.monotonic)
    session = SessionQuota(quotas)
    assert session.begin_mail(ACME) is None
    assert "at most 1 a minute from one customer" in str(SessionQuota(quotas).begin_mail(ACME))
    told = [session.take_recipient(0) for _ in range(3)]
    assert told[:2] == [None, None]
    assert told[2] is not None
    assert told[2].detail == "at most 2 recipients of one customer in a minute"
    clock.move(timedelta(minutes=1))
    assert session.take_recipient(0) is None
    assert SessionQuota(quotas).begin_mail(ACME) is None


def test_a_connection_is_forgiven_once_when_it_turns_out_whose_it_is():
    forgiven: list[str] = []
    session = SessionQuota(Quotas(), CLIENT, lambda: forgiven.append(CLIENT))
    session.begin_mail(None)
    assert (forgiven, session.proven) == ([], False)
    session.begin_mail(ACME)
    session.begin_mail(ACME)
    session.prove_content(ACME)
    assert (forgiven, session.proven) == ([CLIENT], True)


def test_mails_that_prove_nothing_are_bounded_by_client_and_those_that_do_are_not_counted():
    quotas = Quotas(ClientLimits(mails_per_minute=2), clock=Clock().monotonic)
    session = SessionQuota(quotas, CLIENT)
    session.begin_mail(None)
    for _ in range(9):
        assert session.take_content() is None
        assert session.prove_content(ACME) is None
    told = [SessionQuota(quotas, CLIENT).take_content() for _ in range(3)]
    assert [one is None for one in told] == [True, True, False]
    assert SessionQuota(quotas, OTHER).take_content() is None
    session.begin_mail(ACME)
    assert session.take_content() is None


def room_of(rooms: ContentRooms, customer: int | None, client: str = CLIENT) -> ContentRoom:
    """Return the room of a session of a listener of its own."""
    session = SessionQuota(Quotas(rooms=rooms), client)
    session.begin_mail(customer)
    assert session.room is not None
    return session.room


def test_strangers_fill_half_of_the_room_and_one_of_them_an_eighth_so_that_customers_have_theirs():
    rooms = ContentRooms(ContentRoom(800), largest=10)
    strangers = [room_of(rooms, None, f"198.51.100.{number}") for number in range(5)]
    refusal = strangers[0].take(101)
    told = "mails of a client that has proven nothing take at most 100 octets at a time"
    assert str(refusal) == f"452 4.3.1 Insufficient storage, try again later: {told}"
    assert [one.take(100) for one in strangers[:4]] == [None] * 4
    assert "mails of clients that have proven nothing" in str(strangers[4].take(1))
    acme = room_of(rooms, ACME)
    assert room_of(rooms, ACME) is acme
    assert "mails of one customer take at most 400 octets" in str(acme.take(401))
    assert acme.take(400) is None
    assert "all mails take at most 800 octets" in str(room_of(rooms, RIVAL).take(1))
    strangers[0].give_back(100)
    assert strangers[4].take(100) is None


def test_everybody_has_room_for_the_largest_mail():
    rooms = ContentRooms(ContentRoom(100), largest=100)
    for customer in (None, ACME):
        room = room_of(rooms, customer)
        assert room.take(100) is None
        room.give_back(100)
