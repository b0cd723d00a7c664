"""What the calls do: each takes a call apart, lets the rules decide, and answers."""
