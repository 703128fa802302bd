"""Who may send, and how: customers, profiles, users and the layers of their settings. No input or output."""
