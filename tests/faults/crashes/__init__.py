"""Every crash point of the services' real code, tried one by one, in pairs, and in any order."""
