"""What administration refuses, as one closed kind of fault: a code and its facts.

Not here: the words, which each door has in its own table (cli.words).
"""

from sms.facts import Code, Fact


class FaultCode(Code):
    """Why nothing was changed."""

    NO_CUSTOMER = "no-customer", "name"
    NO_PROFILE = "no-profile", "customer", "name"
    NO_USER = "no-user", "address"
    NO_LIST = "no-list", "customer", "name"
    NO_LOGIN = "no-login", "login"
    NO_SERVICE = "no-service", "service"
    NO_MAIL_SERVICE = "no-mail-service", "service"
    NO_PROOF = "no-proof", "given"
    NO_SETTING = "no-setting", "name", "near"
    NOTHING_OF_THIS_ID = "nothing-of-this-id", "name"
    NO_SUCH_ROUTE = "no-such-route", "route", "known"
    NOTHING_CHOSEN = ("nothing-chosen",)
    NO_OPTION = "no-option", "name"
    NO_MONTH = "no-month", "given"
    NOT_OVER = "not-over", "what", "cancelled", "messages", "untold", "fragments"
    NOT_CONTRACTED = "not-contracted", "customer", "option"
    NOT_SUSPENDED = "not-suspended", "customer", "option"
    BAD_REASON = "bad-reason", "reason", "most"
    ENDS_BEFORE = "ends-before", "since", "until"
    BAD_DECLARATION_NAME = "bad-declaration-name", "name"
    BAD_DECLARATION = "bad-declaration", "language", "title", "most"
    NO_DECLARATION = "no-declaration", "name"
    NOTHING_TO_CONFIRM = "nothing-to-confirm", "customer", "name"
    DUE_IS_PAST = "due-is-past", "due"
    NO_REQUEST = "no-request", "request"
    REQUEST_IS_CLOSED = "request-is-closed", "request"
    BAD_SUBJECT = "bad-subject", "most"
    BAD_TEXT = "bad-text", "most"
    NO_SUCH_JOB = "no-such-job", "job"
    DOWNLOADS_WAIT = "downloads-wait", "most"
    DOWNLOADS_FULL = "downloads-full", "most"

    BAD_CUSTOMER_NAME = "bad-customer-name", "name"
    CUSTOMER_EXISTS = "customer-exists", "name"
    CUSTOMER_HAS_USERS = "customer-has-users", "customer", "users"
    BAD_DOMAIN = "bad-domain", "domain"
    DOMAIN_TAKEN = "domain-taken", "domain", "owner"
    DOMAIN_HAS_STRANGERS = "domain-has-strangers", "domain", "users"
    DOMAIN_NOT_OWNED = "domain-not-owned", "customer", "domain"
    NO_CLAIM = "no-claim", "customer", "domain"
    NOT_PROVED = "not-proved", "domain", "record", "value", "found"
    PROOF_BY_ALIAS = "proof-by-alias", "domain", "record", "alias"
    PROOF_UNKNOWN = "proof-unknown", "domain", "record", "cause"
    BAD_RANGE = "bad-range", "range", "cause"
    RANGE_TOO_WIDE = "range-too-wide", "range"
    RANGE_TAKEN = "range-taken", "range", "owner"
    RANGE_NOT_OWNED = "range-not-owned", "customer", "range"

    BAD_ISSUER = "bad-issuer", "issuer"
    NO_AUDIENCE = "no-audience", "issuer"
    NO_ISSUER = "no-issuer", "customer"

    BAD_PROFILE_NAME = "bad-profile-name", "name"
    PROFILE_EXISTS = "profile-exists", "customer", "name"
    PROFILE_HAS_USERS = "profile-has-users", "name", "users"
    PROFILE_HAS_ACTIONS = "profile-has-actions", "name", "actions"
    PROFILE_IS_BOUND = "profile-is-bound", "name", "bound"
    PROFILE_IS_DEFAULT = "profile-is-default", "customer", "name"

    BAD_ADDRESS = "bad-address", "address"
    USER_EXISTS = "user-exists", "address", "owner"
    ADDRESS_AWAITED = "address-awaited", "address"
    DOMAIN_OF_ANOTHER = "domain-of-another", "domain", "owner", "customer"
    OUTSIDE_DOMAINS = "outside-domains", "address", "customer", "domains"
    BAD_APPLICATION_NAME = "bad-application-name", "name"
    BAD_LOGIN = "bad-login", "login"
    LOGIN_OF_NO_USER = "login-of-no-user", "login"
    LOGIN_IS_NO_KEY = "login-is-no-key", "login"
    NO_SCOPE = "no-scope"
    PASSWORD_TOO_SHORT = "password-too-short", "least"
    LOGIN_TAKEN = "login-taken", "login"
    LOGIN_IS_CERTIFICATE = "login-is-certificate", "login"
    CERTIFICATE_TAKEN = "certificate-taken", "login"
    FILE_FAULTY = "file-faulty", "faults", "place"

    BAD_VALUE = "bad-value", "field", "given"
    LOCKED = "locked", "field", "by"
    SENDER_ID_BARRED = "sender-id-barred", "sender_id", "by", "allowed"
    SENDER_ID_DEDICATED = "sender-id-dedicated", "sender_id"
    NO_CONSTRAINTS = "no-constraints", "kind", "name", "customer", "service"
    BAD_SENDER_ID = "bad-sender-id", "given"
    BAD_MAX_PARTS = "bad-max-parts", "given"
    BAD_NUMBER_TYPE = "bad-number-type", "given"
    BAD_LIMIT = "bad-limit", "given"
    BAD_COUNTRY = "bad-country", "given"

    BAD_LIST_NAME = "bad-list-name", "name"
    LIST_EXISTS = "list-exists", "customer", "name"
    BAD_AUTHOR = "bad-author", "given"
    NOT_AN_AUTHOR = "not-an-author", "author", "name"
    BAD_MEMBERS = "bad-members", "rows"

    NO_DIRECTORY = "no-directory", "customer", "name"
    NO_RUN = "no-run", "name"
    BAD_DIRECTORY_NAME = "bad-directory-name", "name"
    DIRECTORY_EXISTS = "directory-exists", "customer", "name"
    BAD_DIRECTORY = "bad-directory", "faults"

    NO_NUMBER = "no-number", "number"
    NUMBER_AMBIGUOUS = "number-ambiguous", "number", "countries"
    BAD_NUMBER = "bad-number", "given"
    NUMBER_WITHOUT_COUNTRY = "number-without-country", "number", "given"
    NUMBER_EXISTS = "number-exists", "number"
    NUMBER_IN_USE = "number-in-use", "number", "uses"
    NUMBER_HAS_SHARES = "number-has-shares", "number", "shares"
    NUMBER_OF_OTHERS = "number-of-others", "number", "customer"
    SHARED_HAS_NO_OWNER = "shared-has-no-owner", "number", "sharing"
    NO_CARRIER = "no-carrier", "name", "known"
    BAD_JOIN = "bad-join", "given"
    NOT_SHARED = "not-shared", "number", "sharing"
    NO_SHARE = "no-share", "number", "word"
    BAD_WORD = "bad-word", "given"
    WORD_TAKEN = "word-taken", "number", "word", "owner"
    WORD_OPENS = "word-opens", "number", "word", "other", "owner"
    OPT_WORD = "opt-word", "word"
    KEYWORD_EXISTS = "keyword-exists", "customer", "word", "number"
    KEYWORD_ANSWERED = "keyword-answered", "word", "action"
    KEYWORD_IN_USE = "keyword-in-use", "word", "actions"
    NO_KEYWORD = "no-keyword", "customer", "word", "number"
    NO_ACTION = "no-action", "customer", "name"
    BAD_ACTION_NAME = "bad-action-name", "name"
    ACTION_EXISTS = "action-exists", "customer", "name"
    BUILT_IN_ACTION = "built-in-action", "kind"
    ACTION_IS_STANDARD = "action-is-standard", "customer", "name"
    NO_ACTION_FIELD = "no-action-field", "kind", "field", "known"
    BAD_ACTION_VALUE = "bad-action-value", "field", "given", "expected"
    ACTION_INCOMPLETE = "action-incomplete", "kind", "field"
    BAD_HANDSET = "bad-handset", "given", "cause"
    BAD_STOPS = "bad-stops", "rows"
    NO_STOP = "no-stop", "customer", "numbers"

    TLS_RULE_UNUSABLE = "tls-rule-unusable", "fault", "level", "name"
    TLS_BELOW_OPERATOR = "tls-below-operator", "level", "domain", "customer"
    TLS_LOWERED = "tls-lowered", "domain", "customer", "before", "after"
    NO_TLS_RULE = "no-tls-rule", "domain", "customer"
    TLS_RULES_DAMAGED = ("tls-rules-damaged",)
    TLS_RULES_LOST = "tls-rules-lost", "domain"
    TLS_RULES_INTACT = ("tls-rules-intact",)

    NO_ACCOUNT = "no-account", "address", "customer"
    NO_ROLE = "no-role", "name"
    ROLE_ELSEWHERE = "role-elsewhere", "role", "customer"
    LAST_ADMINISTRATOR = "last-administrator", "address", "customer"
    LINK_USED = ("link-used",)
    NO_ZONE = "no-zone", "name"

    BAD_PUSH = "bad-push", "cause"
    NO_PUSH = "no-push", "name"
    NO_WEBHOOK = "no-webhook", "address"
    WEBHOOK_EXISTS = "webhook-exists", "address"
    PUSH_NOT_OVER = "push-not-over", "name", "state"

    GRAPHIC_REMOVED_MEANWHILE = ("graphic-removed-meanwhile",)
    NO_OWN_TEMPLATE = "no-own-template", "form", "customer", "profile"
    NO_TEMPLATE_VERSION = "no-template-version", "form", "customer", "profile", "number"
    NO_TEMPLATE_TO_RESET = "no-template-to-reset", "form", "customer", "profile"
    BAD_GRAPHIC = "bad-graphic", "cause"
    GRAPHIC_IN_USE = "graphic-in-use", "customer", "name"
    NO_GRAPHIC = "no-graphic", "customer", "name"


class AdminFault(Exception):  # noqa: N818 - a refusal, not a defect
    """Raised where a change or a question is refused; inside a change it takes back all that the change did."""

    def __init__(self, code: FaultCode, **facts: Fact) -> None:
        code.check(facts)
        super().__init__(code, facts)
        self.code = code
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.code}: {self.facts}"
