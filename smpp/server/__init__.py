"""The SMPP server: ESMEs bind here, submit SMS, and get receipts and inbound SMS."""
