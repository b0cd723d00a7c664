"""`quorate probe`: what a site answers, without what tells whose it is, as a bundle for a maintainer's twin."""
