"""How carriers differ, as data, and what that means for submits, receipts and fragments."""
