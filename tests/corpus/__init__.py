"""Realistic mails of many clients and languages, and what each must come to."""
