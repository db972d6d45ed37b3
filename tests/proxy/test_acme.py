"""Certificates from a real CA, pebble, which rejects some nonces at random and looks for itself at what it is shown."""

import http.server
import stat
import threading

import pytest

from tests.proxy.pebble import IS_THERE, NAME, Pebble, Site, until
from tests.proxy.programs import free_ports

pytestmark = pytest.mark.skipif(not IS_THERE, reason="Debian's package pebble is not installed")


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "site")
    yield site
    site.stop()
    print(site.log.read_text()[-6000:] if site.log.exists() else "")


@pytest.fixture
def start_ca(tmp_path, site):
    """Starts a CA that asks on the ports of the site, unless others are given."""
    started = []

    def start(**options):
        ports = {"http": site.http, "tls": site.https}
        ca = Pebble(tmp_path / f"ca-{len(started)}", **{**ports, **options})
        started.append(ca)
        return ca

    yield start
    for ca in started:
        ca.end()
        print(ca.said()[-3000:])


def test_a_certificate_comes_by_http_01_and_is_believed(site, start_ca):
    ca = start_ca()
    names = (NAME, "lab.test")
    site.start(ca, names)
    certificate = site.wait_for_certificate()
    assert sorted(certificate["names"]) == ["hub.test", "lab.test"]
    assert "Pebble Intermediate CA" in certificate["issuer"]
    for name in names:
        with site.connect(ca.root(), name) as tls:
            assert tls.version() == "TLSv1.3"
    assert site.ask_http() == (301, f"https://{NAME}:{site.https}/_moved?x")
    code, status = site.ask_status()
    assert (code, status["verdict"], status["last_method"]) == (0, "well", "http-01")
    assert status["next_try"] < certificate["not_after"]
    files = [path for path in site.state.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"account.json", "certificate.pem", "status.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    (kept,) = site.state.rglob("certificate.pem")
    secret = kept.read_text().splitlines()[1]
    assert "PRIVATE KEY" in kept.read_text() and secret not in site.log.read_text()


def test_where_port_80_is_closed_tls_alpn_01_does_and_comes_first_from_then_on(site, start_ca):
    ca = start_ca(http=free_ports(1)[0], life=12)
    site.start(ca)
    site.wait_for_certificate()
    assert site.status()["last_method"] == "tls-alpn-01"
    with site.connect(ca.root()):
        pass
    first = site.served()
    said = site.log.read_text().count("could not validate by http-01")
    assert said == 1
    until(lambda: site.served() != first)
    assert site.log.read_text().count("could not validate by http-01") == said


def test_before_there_is_a_certificate_http_is_served_and_https_is_answered(site, start_ca):
    ca = start_ca(http=free_ports(1)[0], tls=free_ports(1)[0])
    site.start(ca)
    status = site.wait_for_trouble("could not connect to `hub.test` on port 80")
    assert "port 443" in status["last_error"]["what"]
    assert "curl -I http://hub.test/" in status["last_error"]["hint"]
    assert (status["redirects"], status["certificate"]) == (False, None)
    # Nothing is behind this proxy yet, which is the answer of one without HTTPS.
    assert site.ask_http() == (503, None)
    assert site.served()
    assert site.ask_status()[0] == 3


def test_a_certificate_is_renewed_with_a_third_of_its_life_left_and_no_connection_ends(site, start_ca):
    ca = start_ca(life=12)
    site.start(ca)
    site.wait_for_certificate()
    first, status = site.served(), site.status()
    (account,) = site.state.rglob("account.json")
    made = account.read_bytes()
    with site.connect(ca.root()) as kept:
        until(lambda: site.served() != first)
        # What is written comes a moment after what is served.
        until(lambda: site.status()["next_try"] > status["next_try"])
        kept.sendall(b"GET /_chp_healthz HTTP/1.1\r\nHost: hub.test\r\nConnection: close\r\n\r\n")
        assert kept.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert account.read_bytes() == made


def test_while_the_ca_is_down_the_old_certificate_is_served_and_then_it_is_renewed(site, start_ca):
    ca = start_ca(life=12)
    site.start(ca)
    site.wait_for_certificate()
    first = site.served()
    ca.stop()
    status = site.wait_for_trouble(f"the CA at `localhost:{ca.port}` cannot be reached: could not connect")
    assert status["next_try"] and f"curl -sS {ca.directory}" in status["last_error"]["hint"]
    assert site.served() == first and site.ask_http()[0] == 301
    assert site.ask_status()[0] == 3
    # It comes back without any account.
    ca.start()
    until(lambda: site.served() != first)
    until(lambda: site.status()["last_error"] is None)
    assert site.status()["failures"] == 0


def test_a_name_without_an_address_is_told_and_the_ca_is_not_asked(site, start_ca):
    ca = start_ca()
    site.start(ca, ("nowhere.test",), known=())
    status = site.wait_for_trouble("`nowhere.test` has no address in DNS")
    assert "getent ahosts nowhere.test" in status["last_error"]["hint"]
    assert "POST" not in ca.said()
    # Once it has one, nothing is left to be done by hand.
    site.start(ca, ("nowhere.test",))
    site.wait_for_certificate("nowhere.test")


def test_a_name_that_leads_the_ca_elsewhere_is_told_so(site, start_ca):
    class Stranger(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"somebody else's page")

    ca = start_ca()
    ca.lead_to("127.0.0.2")
    with http.server.HTTPServer(("127.0.0.2", site.http), Stranger) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        site.start(ca)
        status = site.wait_for_trouble("at `hub.test`, port 80, something else than this proxy answered the CA")
        stranger.shutdown()
    assert "port 443" in status["last_error"]["what"]
    assert status["warnings"], "a private address is worth a warning"


def test_a_name_that_the_ca_does_not_serve_is_told(site, start_ca):
    ca = start_ca(blocked=["blocked.test"])
    site.start(ca, (NAME, "blocked.test"))
    status = site.wait_for_trouble("the CA gives no certificate for")
    assert "blocked.test" in status["last_error"]["what"]
    assert "could not validate" not in site.log.read_text()


def test_a_ca_that_is_not_known_is_not_believed(site, start_ca):
    ca = start_ca()
    site.start(ca, ca_file=None)
    site.wait_for_trouble("could not speak TLS: invalid peer certificate")


def test_rejected_nonces_cost_time_alone(site, start_ca):
    ca = start_ca(rejected_nonces=30)
    site.start(ca)
    site.wait_for_certificate()
    assert site.status()["last_error"] is None


def test_account_and_certificate_outlive_the_process_and_the_ca_is_not_asked_again(site, start_ca):
    ca = start_ca()
    site.start(ca)
    site.wait_for_certificate()
    first, before = site.served(), site.status()
    (account,) = site.state.rglob("account.json")
    kept, said = account.read_bytes(), ca.said()
    site.stop()
    code, status = site.ask_status()
    assert (code, status["verdict"], status["running"]) == (4, "down", False)
    assert status["certificate"] == before["certificate"]
    site.start(ca)
    assert site.served() == first and site.ask_http()[0] == 301
    assert until(lambda: site.status()["next_try"]) == before["next_try"]
    assert (account.read_bytes(), ca.said()) == (kept, said)
    # Another name is asked for at once, by the same account; the old certificate is served until then.
    site.start(ca, (NAME, "more.test"))
    site.wait_for_certificate("more.test")
    assert account.read_bytes() == kept


def test_the_test_service_is_asked_first_while_there_has_never_been_a_certificate(site, start_ca):
    staging, ca = start_ca(blocked=[NAME]), start_ca()
    both = {"rehearsal": staging.directory}
    trusted = site.folder / "both.pem"
    trusted.write_text(staging.ca_file.read_text() + ca.ca_file.read_text())
    site.start(ca, ca_file=str(trusted), **both)
    site.wait_for_trouble("the CA gives no certificate for")
    assert "POST" not in ca.said(), "what fails there is not tried where it counts"

    staging = start_ca()
    trusted.write_text(staging.ca_file.read_text() + ca.ca_file.read_text())
    site.start(ca, ca_file=str(trusted), rehearsal=staging.directory)
    site.wait_for_certificate()
    with site.connect(ca.root()):
        pass
    rehearsed = staging.said()
    assert "POST" in rehearsed
    # From now on it is left alone.
    site.start(ca, (NAME, "more.test"), ca_file=str(trusted), rehearsal=staging.directory)
    site.wait_for_certificate("more.test")
    assert staging.said() == rehearsed
