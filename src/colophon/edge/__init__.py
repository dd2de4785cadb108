"""The edge: nginx before a deployed site. It buffers slow visitors and keeps pages.

`configuration` makes nginx's files from the site's settings. `watcher` then takes the place of that process: it runs
nginx, and tells it the state of the site.
"""
