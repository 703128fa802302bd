"""Which tests run on only one kind of database, and why. All others that open one run on SQLite and on PostgreSQL.

A name is a test file, or `file::test`. `tests.kit.databases` uses this table.
"""

from collections.abc import Mapping

ON_SQLITE: Mapping[str, str] = {
    # The wire matters here; other tests of the whole path use both databases.
    "tests/e2e/test_carrier_links.py": "binds, TLS and `carrier test`: they end before a database is asked",
    "tests/e2e/test_dialects.py": "what carriers write and read, parts and receipts as in test_carrier_settings",
    "tests/e2e/test_mail_out.py::test_whatever_a_server_says_after_the_dot_with_a_first_digit_2_a_status_mail_is_sent_once": "what a server says",
    "tests/peers/test_mail_in_nodemailer.py": "what a peer says on the wire",
    "tests/peers/test_mail_in_postfix.py": "what a peer says on the wire; test_sap_round_trip runs it on both",
    "tests/peers/test_mail_in_swaks.py": "what a peer says on the wire",
    "tests/peers/smpp/test_esmes_at_server.py": "what ESMEs of others say on the wire",
    "tests/peers/test_smuggling.py": "what a peer says on the wire; test_protocol_cases_gateway has the same ends on both",
    "tests/peers/portal/test_wapiti.py": "what a scanner says on the wire; test_portal_attacks plays the attacks on both",
    "tests/peers/portal/test_every_page.py": "how pages look; tests/protocol/test_portal*.py ask for them on both",
    "tests/peers/portal/test_sender_ids.py": "how its pages look; tests/e2e/test_sender_ids.py plays a request on both",
    "tests/peers/smpp/test_certificates.py": "binds and TLS: they end before a database is asked",
    # The database does not matter.
    "tests/e2e/test_inbound_push.py::test_a_target_that_is_not_allowed_to_the_customer_is_refused_when_it_is_set": "refused before",
    "tests/e2e/test_push.py::test_a_url_that_is_not_safe_is_refused_and_no_key_is_made": "the URL is refused before",
    "tests/e2e/test_queue_commands.py::test_an_id_that_names_nothing_is_said": "one sentence, four commands",
    "tests/e2e/test_start_and_stop.py::test_a_broken_configuration_is_explained_and_nothing_starts": "none is opened",
    "tests/e2e/test_start_and_stop.py::test_below_the_disk_reserve_mail_is_deferred": "refused at MAIL",
    "tests/e2e/test_start_and_stop.py::test_the_log_can_be_json_and_the_service_manager_is_told": "lines and signals",
    "tests/e2e/test_start_and_stop.py::test_what_shows_only_at_the_start_is_said_in_one_sentence": "names SQLite's file",
    "tests/unit/test_reading.py": "how long the event loop is held up by reading a mail",
    "tests/protocol/test_portal.py::test_each_page_is_for_the_roles_that_hold_its_right_and_for_nobody_of_another_customer": "roles and pages; test_portal_sign_in has what sessions keep on both",
    "tests/protocol/test_portal_attacks.py::test_a_file_that_is_a_burden_is_answered_with_what_is_wrong": "refused before",
    "tests/protocol/test_portal_attacks.py::test_a_workbook_that_unpacks_to_more_than_is_taken_is_refused": "refused before",
    "tests/protocol/test_portal_issuer.py::test_a_token_endpoint_that_answers_nonsense_leaves_the_password": "before an account is looked up",
    "tests/protocol/test_portal_issuer.py::test_a_token_of_another_issuer_audience_time_or_sign_in_signs_nobody_in": "the same",
    "tests/protocol/test_portal_issuer.py::test_an_issuer_that_does_not_answer_or_answers_nonsense_leaves_the_password": "the same",
    # Only SQLite has this.
    "tests/e2e/test_explain.py::test_before_the_first_start_there_is_nobody_to_ask_about": "a file that is not there",
    "tests/e2e/test_setup_commands.py": "what `init` writes names SQLite",
    "tests/unit/test_database.py::test_a_sqlite_file_is_private_and_has_one_serving_process": "modes and locks of a file",
    "tests/unit/test_database.py::test_nothing_is_committed_to_a_file_that_was_deleted_or_replaced": "a file",
    "tests/unit/test_database.py::test_the_lock_of_a_killed_process_is_gone_with_it": "locks of a file",
    "tests/unit/test_directory_sync.py::test_the_switch_costs_the_same_with_ten_users_and_with_two_thousand": "steps of its machine",
    "tests/unit/test_outbox.py::test_the_end_of_a_notice_is_recorded_when_the_disk_has_room_again": "a bound of its pages",
    "tests/unit/test_outbox_order.py::test_a_claim_costs_the_same_with_ten_and_with_ten_thousand_behind_one_that_is_tried_again": "steps of its machine",
    "tests/unit/test_store_growth.py::test_a_claim_costs_the_same_with_ten_and_with_ten_thousand_queued": "CPU of this process",
    "tests/unit/test_store_leases.py::test_the_next_process_of_a_sqlite_file_need_not_wait_for_the_lease_of_one_that_was_killed": "locks of a file",
}

ON_POSTGRESQL: Mapping[str, str] = {
    "tests/e2e/test_inbound.py::test_a_node_takes_over_what_the_other_took_and_every_phone_is_answered_once": "two processes",
    "tests/e2e/test_postgresql_faults.py": "a server that crashes, cuts connections, loses answers and locks up",
    "tests/e2e/test_two_nodes.py": "several processes share a database",
    "tests/unit/test_outbox_order.py::test_no_row_is_left_behind_one_that_ends_while_another_node_claims": "two writers",
    "tests/unit/test_store_leases.py::TestCluster": "several processes share a database",
}

ONE_KIND = {"sqlite": ON_SQLITE, "postgresql": ON_POSTGRESQL}
KINDS = tuple(ONE_KIND)


def kinds_of(test: str) -> tuple[str, ...]:
    """Return the kinds of database that a test runs on, by its node id."""
    parts = test.partition("[")[0].split("::")
    names = {"::".join(parts[:length]) for length in range(1, len(parts) + 1)}
    named = [kind for kind, ones in ONE_KIND.items() if not names.isdisjoint(ones)]
    return tuple(named) or KINDS
