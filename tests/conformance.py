"""RFC 5321 and RFC 3207 clause by clause: what servers and clients must or should do, whether we do, and what shows it.

docs/standards.md prints these tables (`make example`); a test holds that whatever is named as proof is there. A clause
that only permits something, or concerns relays to third parties (we have none), is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_P: Final = "tests/protocol/"
DIALOGUE, GRAMMAR, CONTENT = f"{_P}test_dialogue.py", f"{_P}test_dialogue_grammar.py", f"{_P}test_dialogue_content.py"
SERVER, SERVER_TLS, CASES = f"{_P}test_server.py", f"{_P}test_server_tls.py", f"{_P}test_protocol_cases.py"
DELIVER, DELIVER_TLS, FIRST = f"{_P}test_deliver.py", f"{_P}test_deliver_tls.py", f"{_P}test_deliver_first_digit.py"
PIPELINING, GATEWAY = f"{_P}test_deliver_pipelining.py", f"{_P}test_protocol_cases_gateway.py"
CLAUSES = f"{_P}test_clauses.py"
POSTMASTER, HANDLER = "tests/unit/test_postmaster_door.py", "tests/unit/test_handler.py"


@dataclass(frozen=True)
class Duty:
    """One thing that a clause asks; `who` is server or client. `shown_by` is a file, or a test as `file::test`."""

    who: str
    clause: str
    asks: str
    kept: str
    shown_by: str


CONFORMANCE: Final[Mapping[str, Sequence[Duty]]] = {
    "RFC 5321": (
        Duty("server", "2.3.8", "MUST take only CRLF as the end of a line", "yes", f"{CASES}::test_case_6_a_bare_newline_in_a_command_is_refused_and_splits_nothing"),
        Duty("client", "2.3.8", "MUST NOT send CR or LF but as CRLF", "yes", f"{DELIVER}::test_bare_line_ends_leave_as_crlf"),
        Duty("server", "2.4", "MUST take verbs in any case, MUST keep that of local parts", "yes", f"{CLAUSES}::test_rfc_5321_2_4_verbs_are_taken_in_any_case_and_local_parts_keep_theirs"),
        Duty("server", "3.1", "greets first, and takes nothing before", "yes", f"{SERVER}::test_case_9_a_client_that_talks_first_is_refused_and_nothing_is_accepted"),
        Duty("client", "3.2", "SHOULD begin with EHLO, and MUST fall back to HELO where it is refused", "yes", f"{FIRST}::test_a_server_that_refuses_ehlo_for_ever_is_greeted_with_helo"),
        Duty("server", "3.2", "MUST take HELO too", "yes", f"{CLAUSES}::test_rfc_5321_3_2_helo_is_taken_and_offers_nothing"),
        Duty("server", "3.3", "MUST refuse RCPT and DATA without what must come before", "yes", f"{DIALOGUE}::test_data_needs_one_accepted_recipient"),
        Duty("server", "3.3", "MUST judge and answer for a mail before it is acknowledged", "yes", f"{HANDLER}::test_a_mail_is_answered_with_its_job_after_the_commit"),
        Duty("server", "3.5.1", "SHOULD have VRFY: it confirms nothing, with 252", "partly", f"{CLAUSES}::test_rfc_5321_3_5_vrfy_confirms_nothing_and_expn_is_not_there"),
        Duty("server", "3.5.2", "SHOULD have EXPN: there are no lists to show, 502", "no", f"{CLAUSES}::test_rfc_5321_3_5_vrfy_confirms_nothing_and_expn_is_not_there"),
        Duty("server", "3.6.2", "relays for nobody: other addresses are refused", "yes", f"{POSTMASTER}::test_a_stranger_writes_to_no_other_address"),
        Duty("server", "3.8", "MUST NOT close before QUIT but after a time-out or with 421", "yes", f"{SERVER}::test_shutting_down_says_421_to_the_idle_and_lets_a_mail_finish"),
        Duty("client", "3.8", "SHOULD end with QUIT", "yes", f"{CLAUSES}::test_rfc_5321_4_5_5_a_report_has_a_null_reverse_path"),
        Duty("server", "4.1.1.1", "MUST begin anew at each EHLO, MUST NOT refuse mail for its name", "yes", f"{CLAUSES}::test_rfc_5321_4_1_1_1_no_mail_is_refused_for_the_name_in_ehlo_and_a_second_one_begins_anew"),
        Duty("server", "4.1.1.4", "MUST end the content at CRLF.CRLF and at nothing else", "yes", f"{CASES}::test_case_1_nothing_but_crlf_dot_crlf_ends_a_content"),
        Duty("server", "4.1.1.5", "RSET MUST end the transaction and be answered 250", "yes", f"{DIALOGUE}::test_a_reset_ends_the_transaction_even_where_the_handler_says_no"),
        Duty("server", "4.1.1.10", "QUIT MUST be answered 221, and nothing is lost by it", "yes", f"{SERVER}::test_case_15_quit_behind_the_dot_works"),
        Duty("server", "4.1.1.11", "MUST refuse parameters that it does not know", "yes", f"{GRAMMAR}::test_a_bad_parameter_of_mail_has_its_reply"),
        Duty("server", "4.1.2", "MUST take a source route, SHOULD ignore it", "yes", f"{GRAMMAR}::test_an_address_of_the_grammar_is_taken_and_its_route_dropped"),
        Duty("client", "4.1.2", "MUST NOT send what is no address", "yes", f"{DELIVER}::test_an_address_that_could_carry_a_command_is_never_sent"),
        Duty("client", "4.1.3", "address literals", "yes", "tests/unit/test_tls_mx.py::test_address_literals_are_read_as_rfc_5321_writes_them"),
        Duty("server", "4.1.4", "MUST answer 503 to commands out of order", "yes", f"{DIALOGUE}::test_each_command_out_of_place_has_its_reply"),
        Duty("client", "4.2", "MUST act by the code alone, SHOULD by its first digit where it knows no more", "yes", f"{FIRST}::test_the_first_digit_decides_at_each_command"),
        Duty("client", "4.2.1", "MUST take replies of several lines", "yes", "tests/unit/test_mail_replies.py::test_a_reply_has_the_code_of_its_last_line"),
        Duty("server", "4.2.4", "MUST answer 500 or 502 to what it does not have", "yes", f"{DIALOGUE}::test_every_verb_of_the_table_is_known_and_every_state_is_reached"),
        Duty("server", "4.2.5", "after its 250 MUST deliver or report, through crashes too", "yes", "tests/e2e/test_kills.py::test_after_kills_every_acknowledged_mail_is_one_job_that_ended_and_nothing_was_sent_twice"),
        Duty("client", "4.3.1", "MUST await each reply, but for commands that PIPELINING groups", "yes", f"{PIPELINING}::test_commands_wait_for_their_replies_where_the_server_does_not_pipeline"),
        Duty("server", "4.4", "MUST add Received to a mail that it passes on: to the one it forwards, the postmaster's; an SMS has no header", "yes", "mta/postmaster.py"),
        Duty("server", "4.4", "MUST add Return-Path at final delivery: a mail is delivered as an SMS, which has none", "no", "mta/intake.py"),
        Duty("server", "4.5.1", "MUST have EHLO, HELO, MAIL, RCPT, DATA, RSET, NOOP, QUIT, VRFY", "yes", f"{DIALOGUE}::test_help_lists_every_verb_that_can_be_used_now"),
        Duty("server", "4.5.1", "MUST take mail to postmaster, with and without a domain: where the operator named a mailbox", "partly", f"{POSTMASTER}::test_anybody_may_write_to_the_postmaster"),
        Duty("server", "4.5.2", "MUST take away a leading dot", "yes", f"{CONTENT}::test_transparency_is_undone_whatever_the_chunks"),
        Duty("client", "4.5.2", "MUST double a leading dot", "yes", f"{DELIVER}::test_a_mail_goes_by_mx_and_arrives_byte_for_byte"),
        Duty("server", "4.5.3.1", "MUST take local parts of 64, domains of 255, lines of 512 and 1000 octets", "yes", f"{CONTENT}::test_the_longest_lines_allowed_are_those_of_the_extensions"),
        Duty("server", "4.5.3.1.8", "MUST take 100 recipients: 50 of who is proven by the mail alone, and as many as the operator allows to others", "partly", f"{HANDLER}::test_a_client_that_has_proven_nothing_names_few_recipients_and_a_customer_as_many_as_he_likes"),
        Duty("server", "4.5.3.1.10", "MUST answer 452 to more, and keep those before", "yes", f"{CASES}::test_case_10_recipients_beyond_the_limit_are_452_and_the_first_stay_valid"),
        Duty("client", "4.5.3.1.10", "MUST take 552 at RCPT as 452", "yes", f"{FIRST}::test_a_552_for_a_recipient_is_for_now_and_at_the_end_for_ever"),
        Duty("server", "4.5.3.2.7", "SHOULD wait five minutes for a command", "yes", f"{CONTENT}::test_a_silent_client_is_cut_after_the_command_time"),
        Duty("client", "4.5.3.2", "MUST have time-outs, by default as long as named there", "yes", f"{DELIVER}::test_case_34_each_answer_at_each_stage_has_its_meaning"),
        Duty("client", "4.5.3.2.6", "a lost answer to the content MUST NOT lose the mail, SHOULD NOT double it", "yes", f"{DELIVER}::test_case_35_a_drop_after_the_dot_is_unknown_and_the_same_mail_may_be_sent_again"),
        Duty("client", "4.5.4.1", "MUST try again; SHOULD wait half an hour and go on for four days: ours begins with a minute and ends after two days, both options", "partly", "tests/unit/test_retry.py::test_the_waits_grow_and_the_last_one_repeats"),
        Duty("client", "4.5.4.1", "SHOULD leave alone a host that does not answer", "yes", f"{DELIVER}::test_a_destination_that_keeps_failing_is_left_alone_then_probed_by_one_mail"),
        Duty("server", "4.5.4.2", "SHOULD take connections at all times, several at once", "yes", f"{SERVER}::test_one_address_gets_so_many_connections_and_all_together_so_many"),
        Duty("client", "4.5.5", "MUST send reports with a null reverse-path", "yes", f"{CLAUSES}::test_rfc_5321_4_5_5_a_report_has_a_null_reverse_path"),
        Duty("server", "4.5.5", "MUST take a null reverse-path, and never report to it", "yes", f"{GATEWAY}::test_case_12_a_null_sender_of_a_proven_customer_is_an_alert_without_a_status_mail"),
        Duty("client", "5.1", "MUST try MX by preference, of equal ones by chance; MUST NOT take an address where there is MX", "yes", "tests/unit/test_tls_mx.py::test_what_dns_says_about_the_hosts_of_a_domain"),
        Duty("client", "5.1", "MUST wait where DNS does not answer, MUST fail where there is no such domain", "yes", f"{DELIVER}::test_case_33_what_dns_says_decides_without_a_connection"),
        Duty("client", "5.1", "SHOULD try several addresses and hosts", "yes", f"{DELIVER}::test_a_refused_connection_leads_to_the_next_address_and_host"),
        Duty("client", "5.2", "MUST try IPv6 and IPv4", "yes", f"{FIRST}::test_addresses_of_a_family_that_does_not_work_leave_room_for_the_other"),
        Duty("server", "6.1", "MUST NOT lose a mail for frivolous reasons, as a crash", "yes", "tests/e2e/test_kills.py::test_after_kills_every_acknowledged_mail_is_one_job_that_ended_and_nothing_was_sent_twice"),
        Duty("server", "6.2", "SHOULD NOT drop a mail in silence: automatic answers are taken and not sent, and say so in their 250 and in status", "partly", f"{HANDLER}::test_a_bounce_is_taken_and_leaves_a_trace_that_is_committed_before_the_answer"),
        Duty("server", "6.3", "SHOULD count Received fields, a hundred at least", "yes", "tests/unit/test_intake_automatic.py::test_what_goes_round_is_refused"),
        Duty("client", "6.3", "MUST NOT send to itself", "yes", f"{DELIVER}::test_case_33_an_mx_that_is_ourselves_is_not_called"),
        Duty("server", "7.3", "VRFY that is switched off SHOULD say 252, no false 250", "yes", f"{CLAUSES}::test_rfc_5321_3_5_vrfy_confirms_nothing_and_expn_is_not_there"),
    ),
    "RFC 3207": (
        Duty("server", "4", "MUST refuse a parameter of STARTTLS, with 501", "yes", f"{CLAUSES}::test_rfc_3207_4_starttls_has_no_parameter"),
        Duty("server", "4", "MUST answer 454 where TLS is not to be had", "yes", f"{SERVER_TLS}::test_a_context_is_asked_for_at_each_handshake_and_a_broken_one_is_454"),
        Duty("server", "4", "where it requires TLS, SHOULD answer 530 to all but NOOP, EHLO, STARTTLS and QUIT", "yes", f"{DIALOGUE}::test_where_tls_is_required_everything_else_is_530"),
        Duty("server", "4", 'a public server MUST NOT require TLS: `tls = "require"` of a listener is for customers', "yes", f"{CLAUSES}::test_rfc_3207_4_a_server_that_only_offers_tls_takes_mail_in_clear"),
        Duty("client", "4", "after a reply that is no 220 decides by its policy, and goes on in clear nowhere where that forbids it", "yes", f"{DELIVER_TLS}::test_case_04_a_peer_that_fights_tls_never_sees_mail_in_clear"),
        Duty("server", "4.1", "SHOULD answer 554 to all but QUIT where the handshake proved too little", "yes", f"{DIALOGUE}::test_a_handshake_that_proved_too_little_leaves_only_quit"),
        Duty("client", "4.1", "SHOULD leave where the handshake proved too little", "yes", f"{DELIVER_TLS}::test_case_29_each_certificate_at_each_level"),
        Duty("client", "4.1", "decides whether the certificate is good enough, by name and authority", "yes", f"{DELIVER_TLS}::test_case_29_each_certificate_at_each_level"),
        Duty("server", "4.2", "MUST forget what it learned before TLS", "yes", f"{DIALOGUE}::test_everything_learned_before_tls_is_forgotten"),
        Duty("client", "4.2", "MUST forget what it learned before TLS, SHOULD send EHLO again", "yes", f"{DELIVER_TLS}::test_case_03_replies_injected_behind_the_220_of_starttls_are_forgotten"),
        Duty("server", "4.2", "MUST NOT offer STARTTLS under TLS", "yes", f"{DIALOGUE}::test_auth_and_starttls_are_announced_only_where_allowed"),
        Duty("server", "6", "commands in the segment of STARTTLS must not count (CVE-2011-0411)", "yes", f"{SERVER_TLS}::test_case_2_commands_in_the_segment_of_starttls_are_gone_after_the_handshake"),
        Duty("client", "6", "a server that lost its STARTTLS on the way: mail waits where TLS is demanded", "yes", f"{DELIVER_TLS}::test_case_05_where_only_the_second_mx_offers_tls_the_first_never_gets_mail"),
    ),
}  # fmt: skip


def conformance_table(name: str) -> str:
    """Return the table of a standard as Markdown, empty where none is kept."""
    rows = "".join(
        f"| {duty.who} | §{duty.clause} | {duty.asks} | {duty.kept} | {_shown(duty.shown_by)} |\n"
        for duty in CONFORMANCE.get(name, ())
    )
    return (
        f"\n| Who | Clause | What it asks | Kept | Shown by |\n| --- | --- | --- | --- | --- |\n{rows}" if rows else ""
    )


def _shown(place: str) -> str:
    file, found, test = place.partition("::")
    return f"`{test}` in `{file}`" if found else f"`{file}`"


def missing_proofs() -> list[str]:
    """Return what is named as proof and is not there."""
    missing = []
    for duties in CONFORMANCE.values():
        for duty in duties:
            file, _, test = duty.shown_by.partition("::")
            path = ROOT / file
            if not path.is_file() or (test and f"def {test}(" not in path.read_text("utf-8")):
                missing.append(duty.shown_by)
    return missing
