"""SMPP with programs written by others: as carriers of the whole gateway, and as ESMEs of the sandbox carrier."""
