"""Everything that a gateway loads, at its start or with its first mail: what tests.kit.gateway_process forks from."""

import gc
from importlib import import_module

for name in (
    "cli.serve",
    "uvloop",
    "tls.nameservers",
    "dns.asyncresolver",
    "dns.rdtypes.ANY",
    "phonenumbers.data.region_GB",
):
    import_module(name)

gc.collect()
gc.freeze()  # the collector of a fork need not look at what was here before
