"""Who proves to be whom: a login's password, with bounds on guessing and on the work that it makes."""
