"""How Colophon ships: the steps behind the menu. It knows of the site no more than its passport, release.json."""
