"""The content security policy: no page breaks it, and it stops what someone smuggled into a page."""

import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

# What someone might smuggle in, with the directive that stops it.
SMUGGLED = {
    "a script": ("script-src", "<script>window.smuggled = true</script>"),
    "a handler": ("script-src", "<img alt='' src='data:,' onerror='window.smuggled = true'>"),
    "a style": ("style-src", "<style>h1 { display: none }</style>"),
    "another site's picture": ("img-src", "<img alt='' src='http://127.0.0.2:9/spy.gif'>"),
    "another site's page": ("default-src", "<iframe src='http://127.0.0.2:9/'></iframe>"),
}


def test_no_page_makes_the_browser_complain(browser, path, pages):
    browser.visit(path)
    # An error page's own status is the one thing that the browser may note.
    own = "" if pages[path] == 200 else f"the server responded with a status of {pages[path]} "
    assert not [message for message in browser.messages() if not (own and own in message)]


def test_a_visitor_who_uses_what_the_script_adds_breaks_no_policy(browser):
    browser.visit("/about")
    browser.press("/")
    browser.one(".modes button[value=dark]").click()
    browser.until(lambda: browser.get_cookie("colour_mode"), "the choice is kept")
    assert not browser.messages()


@pytest.fixture
def smuggle(site):
    """Serve the site's page with something added that its author never wrote, under the policy that the site sends."""
    servers = []

    def serve(addition):
        with urllib.request.urlopen(f"{site.url}/about") as response:
            html = response.read().decode().replace("<h1", f"{addition}<h1")
            policy = response.headers["Content-Security-Policy"]

        class Smuggler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", policy)
                self.end_headers()
                self.wfile.write(html.encode())

            def log_message(self, *_):
                """Keep the tests' output clean."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Smuggler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("directive", "addition"), SMUGGLED.values(), ids=SMUGGLED)
def test_what_is_smuggled_into_a_page_is_stopped_and_noted(browser, smuggle, directive, addition):
    browser.get(smuggle(addition))
    noted = [message for message in browser.messages() if "Content Security Policy" in message]
    assert any(f"'{directive} " in message or f'"{directive} ' in message for message in noted), noted
    assert not browser.execute_script("return window.smuggled")
    assert browser.shown("h1")


def test_a_script_cannot_write_html_into_a_page(browser):
    browser.visit("/about")
    script = "try { document.body.innerHTML = '<p>x'; return 'written' } catch (error) { return error.name }"
    assert browser.execute_script(script) == "TypeError"
    assert "TrustedHTML" in " ".join(browser.messages())
