"""A drawn world: the real decision and shell on the small cluster, with every kind of bad luck.

One seed is one history. While it is *rough*, faults strike and people change their minds; once it
is *calm*, faults cease, and the world must come to rest, and rest in the right place.
"""
