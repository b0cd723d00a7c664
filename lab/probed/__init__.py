"""A world from a probe's bundle: what a site has answered becomes what is, as far as the twin can play it."""
