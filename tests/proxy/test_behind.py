"""Behind the real nginx and Apache, with the sites that `tljh-config example` prints, unchanged."""

import json
import os
import shutil

import pytest
import websocket

from tests.proxy.fronts import BASE, CLIENT, NAME, digest, front

# What a client can invent to look like another one, and like one that came by HTTPS.
INVENTED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Port": "666",
    "X-Real-IP": "6.6.6.6",
    "X-Scheme": "https",
    "Forwarded": "for=6.6.6.6;proto=https;host=evil.test",
}
FRONTS = [
    pytest.param(
        (program, by_socket, tls),
        id=f"{program}-{'socket' if by_socket else 'port'}-{'https' if tls else 'http'}",
        marks=pytest.mark.skipif(not shutil.which(binary), reason=f"{binary} is not installed"),
    )
    for program, binary in (("nginx", "nginx"), ("apache", "apache2"))
    for by_socket in (False, True)
    for tls in (False, True)
]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root")


@pytest.fixture(scope="module", params=FRONTS)
def site(request, hub_bin):
    with front(*request.param, hub_bin / "python") as started:
        yield started


def told(site, headers=None, port=None):
    answer = site.get("/hub/a%2Fb?x=%3f", headers, port)
    assert answer.status == 200
    return json.loads(answer.text)


def test_a_page_comes_and_the_server_knows_who_asks_and_how(site):
    page = told(site)
    scheme = "https" if site.tls else "http"
    assert page["uri"] == f"{BASE}/hub/a%2Fb?x=%3f"
    assert (page["remote_ip"], page["protocol"], page["browser_protocol"]) == (CLIENT, scheme, scheme)
    headers = page["headers"]
    assert (headers["host"], headers["x-forwarded-host"]) == (NAME, NAME)
    assert headers["x-forwarded-for"] == f"{CLIENT},127.0.0.1"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"]) == (scheme, str(site.port))


def test_what_a_client_invents_reaches_no_server(site):
    plain, spoofed = told(site), told(site, INVENTED)
    assert spoofed == plain
    # Nor past the other proxy.
    direct = told(site, INVENTED, site.own_port)
    assert (direct["remote_ip"], direct["browser_protocol"]) == (CLIENT, "http")
    assert "6.6.6.6" not in str(direct) and "evil" not in str(direct)


def test_websocket_messages_pass_both_ways(site):
    scheme = "wss" if site.tls else "ws"
    ends = websocket.create_connection(f"{scheme}://{NAME}{BASE}/ws", socket=site.connect(), timeout=60)
    for message in ("é", "x" * 70_000):
        ends.send(message)
        assert ends.recv() == message
    data = os.urandom(4 << 20)
    ends.send_binary(data)
    assert ends.recv() == data
    ends.close()


def test_a_large_upload_arrives_while_it_is_sent(site):
    first, rest = os.urandom(8 << 20), os.urandom(24 << 20)
    assert site.upload(first, rest) == (200, digest(first + rest))


def test_events_arrive_before_the_answer_ends(site):
    connection = site.open()
    connection.request("GET", BASE + "/events")
    answer = connection.getresponse()
    assert answer.readline() == b"data: 1\n"
    site.get("/go")
    assert answer.read() == b"\ndata: 2\n\n"
    connection.close()


def test_who_comes_by_http_is_sent_to_https_where_that_is_served(site):
    answer = site.get("/hub/login?next=x", port=80)
    if site.tls:
        assert (answer.status, answer.headers["Location"]) == (308, f"https://{NAME}{BASE}/hub/login?next=x")
    else:
        assert answer.status == 200
