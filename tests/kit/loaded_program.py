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
gc.collect()
gc.freeze()  # the collector of a fork need not look at what was here before
