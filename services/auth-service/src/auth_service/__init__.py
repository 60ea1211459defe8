"""Organizations, API clients, Zoom connections and the token vault."""
