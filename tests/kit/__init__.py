"""What tests share: an installation that runs, databases, peers, clocks, fakes and readers of the store."""
