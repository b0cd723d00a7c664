"""What a process tells of its work while it works: traces, and who takes them."""
