"""What an SMS is: numbers, alphabets, parts, messages, settings and their rules. No input or output."""
