"""Mail in, mail out, the operator's file and the process that puts everything together."""
