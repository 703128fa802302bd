"""One mail read: whom it is for, what it wants, and the words that its sender typed."""
