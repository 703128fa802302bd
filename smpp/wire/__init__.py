"""The SMPP 3.4 codec: fields and PDUs to bytes and back."""
