"""The web application around the pages and the API: errors, security, compression, logging, health."""
