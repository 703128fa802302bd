"""The Reply-To of an inbound SMS's mail."""

import pytest

from inbound.reply_token import Conversation, is_reply_token, read_reply_token, write_reply_token
from store.engine.database import Database
from store.secrets import secret_named

SECRET = b"s" * 32
CONVERSATIONS = [
    Conversation(customer_key=1, phone="447700900123", own_number="447700900555"),
    Conversation(customer_key=2**63 - 1, phone="447700900123999", own_number="60999"),
    Conversation(customer_key=7, phone="4477009001234", own_number="Example Ltd"),
    Conversation(customer_key=7, phone="447700900123", own_number=""),
]


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=str)
def test_a_token_names_its_conversation_in_any_case_and_fits_into_a_local_part(conversation):
    token = write_reply_token(SECRET, conversation)
    assert len(token) <= 64
    assert is_reply_token(token)
    assert read_reply_token(SECRET, token) == conversation
    assert read_reply_token(SECRET, token.upper()) == conversation


def test_a_token_of_another_key_or_with_a_changed_letter_names_nothing():
    token = write_reply_token(SECRET, CONVERSATIONS[0])
    assert read_reply_token(b"t" * 32, token) is None
    for place in range(2, len(token)):
        changed = token[:place] + ("a" if token[place] != "a" else "b") + token[place + 1 :]
        assert read_reply_token(SECRET, changed) in {None, CONVERSATIONS[0]}
        # Base32's last letter has bits that stand for nothing.
        assert read_reply_token(SECRET, changed) is None or place == len(token) - 1


@pytest.mark.parametrize("local_part", ["", "r.", "r.aaaa", "447700900123", "r." + "a" * 40, "r." + "7" * 61, "x" * 64])
def test_what_is_no_token_names_nothing(local_part):
    assert read_reply_token(SECRET, local_part) is None


def test_all_nodes_share_a_secret_that_the_first_one_made(database_url):
    secrets = []
    for _ in range(2):
        database = Database(database_url)
        database.open()
        secrets.append(database.write_now(lambda tx, _: [secret_named(tx, "reply")], None))
        database.close()
    assert secrets[0] == secrets[1]
    assert len(secrets[0]) == 32
