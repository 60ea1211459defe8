"""Zoom's meetings API: explicit time-outs, no retries hidden inside, errors typed by what to do."""
