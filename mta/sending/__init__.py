"""Mail out: composed, signed, and delivered under the TLS that the recipient's domain demands."""
