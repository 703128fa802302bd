"""What puts the gateway together, starts it and stops it."""
