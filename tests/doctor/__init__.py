"""The doctor: what it says of a site that is well, of one that is not built yet, and of each trouble."""
