"""What carriers do differently, as data, and what follows from it for submits, receipts and fragments."""
