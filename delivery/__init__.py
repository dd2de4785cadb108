"""The delivery of Colophon: the steps behind the menu. It knows of the site only its passport, release.json."""
