"""The reconciler: takes the next step from what is at Zoom towards what is wanted, until there is none.

Everything that a crash could make us forget is stored before it is done, under a lease that is checked again
before each result is stored.
"""
