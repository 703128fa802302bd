"""Hostile mails: a seeded sample for every run, a coverage-guided search for `make fuzz`."""
