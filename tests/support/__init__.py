"""What tests of several kinds share: real servers and bounded waiting."""
