"""What a process tells of its work while it works: traces, metrics, and who takes them."""
