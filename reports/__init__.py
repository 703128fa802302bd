"""What was sent and received, told afterwards: sums, the archive of months, details, and how long each is kept."""
