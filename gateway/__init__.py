"""The use cases: accept, dispatch, track, notify, administer. No protocol and no SQL lives here."""
