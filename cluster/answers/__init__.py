"""What a person has to do now, as one object that every surface shows."""
