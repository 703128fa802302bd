"""How safe a connection must be: policies per recipient domain, contexts and DNS."""
