"""`quorate demo`: the article's own test, a failback, the loss of a whole site."""
