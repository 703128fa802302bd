"""The customer's directory becomes our address book: read whole, mapped, compared, guarded, and then switched."""
