"""The doctor: from what a look at a site has read to one line for each thing, with its remedy. Pure."""
