"""Groups of commands that the programs of several services have alike."""
