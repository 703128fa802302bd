"""HTTP out: pushes of job reports to customers' applications. Nothing here serves HTTP."""
