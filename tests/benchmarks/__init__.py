"""What it costs, as ratios against peers of the same run."""
