"""The tests: unit, protocol, e2e and peers by folder; benchmarks and a mail corpus beside them."""
