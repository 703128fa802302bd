"""What an entry of a directory says of a user. Not here: reading the entry (ldap), what a user is (addressbook)."""
