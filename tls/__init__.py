"""How safe a connection must be: policies per recipient domain, what raises them, contexts and DNS."""
