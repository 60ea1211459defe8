"""All tests of the repository, and what they stand on (`support`)."""
