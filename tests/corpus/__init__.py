"""Realistic mails of many clients and languages, composed here, and what each must come to.

To add one: write mails/<name>.eml with LF line ends (the runner makes them CRLF) and a table [<name>] in expected.toml
with client, language and what it comes to: `text` with `coding` and `parts`, or `drop`, or `refused`, or
`author_problem`. Optional: `settings`, `reverse_path` (else the author), `rcpt` with `numbers`, `priority`, `patch`,
`subject`, `author`.
"""
