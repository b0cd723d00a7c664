"""What a person does by hand in an emergency, as plans: for which facts each is there, and what it changes. Pure."""
