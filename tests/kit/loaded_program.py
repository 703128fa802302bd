"""All that a gateway loads, at its start or with its first mail, and our other programs: tests.kit.forked_program forks it."""

import gc
from importlib import import_module

for name in (
    "cli.serve",
    "cli.carriers",
    "smpp.simulator.simulator",
    "uvloop",
    "tls.nameservers",
    "dns.asyncresolver",
    "dns.rdtypes.ANY",
    "phonenumbers.data.region_GB",
):
    import_module(name)

import_module("templates.render").Renderer().words("en")  # the process keeps what this compiles and reads

# The process that a gateway starts ahead, to read large mails, costs twice what its own start does. Here it starts with
# the first of them; tests/unit/test_reading.py has the one that is started ahead.
setattr(import_module("mta.intake_pool").IntakePool, "warm", lambda _: None)  # noqa: B010  (not typed here)
gc.collect()
gc.freeze()  # the collector of a fork need not look at what was here before
