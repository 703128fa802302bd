"""What a destination allows: the rules of its country as data, each with its sources, date and confidence."""
