"""What tests share: a running installation, databases, peers, clocks, fakes and readers of the store."""
