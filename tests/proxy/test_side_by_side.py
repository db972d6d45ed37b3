"""The API beside that of the real configurable-http-proxy: the same requests to both, and the same answers."""

import http.client
import json
import re
import subprocess

import pytest

from tests.bench.peers import TOKEN, Unavailable, free_port, running, running_chp, wait_for_port
from tests.proxy.programs import PROXY

GOOD = json.dumps({"target": "http://127.0.0.1:9", "user": "a", "nested": {"x": [1, None]}})

# Method, path, body. None for a body: no token either.
CALLS = [
    ("GET", "/api/routes", ""),
    ("GET", "/api/routes/", ""),
    ("GET", "/api/routes/user/a", ""),
    ("DELETE", "/api/routes/user/a", ""),
    ("POST", "/api/routes/user/a", GOOD),
    ("GET", "/api/routes", ""),
    ("GET", "/api/routes/user/a", ""),
    ("GET", "/api/routes/user/a/", ""),
    ("GET", "/api/routes/user", ""),
    ("GET", "/api/routes/user/ab", ""),
    ("POST", "/api/routes/user/a/", GOOD),
    ("GET", "/api/routes", ""),
    ("DELETE", "/api/routes/user", ""),
    ("POST", "/api/routes/user/%C3%A9%20b%40c", GOOD),
    ("GET", "/api/routes/user/%C3%A9%20b%40c", ""),
    ("GET", "/api/routes", ""),
    ("GET", "/api/routes?inactiveSince=2000-01-01T00:00:00Z", ""),
    ("GET", "/api/routes?inactive_since=2999-01-01T00:00:00Z", ""),
    ("GET", "/api/routes?inactiveSince=2999-01-01T00:00:00.000%2B00:00", ""),
    ("GET", "/api/routes?inactiveSince=", ""),
    ("GET", "/api/routes?inactiveSince=yesterday", ""),
    ("POST", "/api/routes", GOOD),
    ("POST", "/api/routes/", GOOD),
    ("GET", "/api/routes", ""),
    ("POST", "/api/routes/tls", json.dumps({"target": "https://127.0.0.1:9"})),
    ("POST", "/api/routes/based", json.dumps({"target": "http://127.0.0.1:9/base"})),
    ("POST", "/api/routes/dated", json.dumps({"target": "http://127.0.0.1:9", "last_activity": "never"})),
    ("GET", "/api/routes", ""),
    ("DELETE", "/api/routes/user/a/", ""),
    ("DELETE", "/api/routes/user/a", ""),
    ("DELETE", "/api/routes/", ""),
    ("GET", "/api/routes", ""),
    ("GET", "/api/routes/constructor", ""),
    ("POST", "/api/routes/user/constructor", GOOD),
    ("GET", "/api/routes/user/constructor", ""),
    ("DELETE", "/api/routes/user/constructor", ""),
    ("POST", "/api/routes/x", "null"),
    ("POST", "/api/routes/x", "[]"),
    ("POST", "/api/routes/x", "{}"),
    ("POST", "/api/routes/x", "7"),
    ("POST", "/api/routes/x", '{"target": 7}'),
    ("POST", "/api/routes/x", '{"target": null}'),
    ("PUT", "/api/routes/x", GOOD),
    ("PATCH", "/api/routes", ""),
    ("HEAD", "/api/routes", ""),
    ("GET", "/api/routes", None),
    ("GET", "/api/routes/tls", None),
    ("DELETE", "/api/routes/tls", None),
    ("GET", "/api/routesx", ""),
    ("GET", "/api", ""),
    ("GET", "/", ""),
    ("GET", "/nowhere", None),
    ("GET", "/api/routes", ""),
]

# What differs, and is to: the status and the beginning of the body from CHP, then from us.
DIFFERENT = {
    # Each in the words of its own parser.
    ("POST", "/api/routes/x", "{not json"): ((400, "Body not valid JSON"), (400, "Body not valid JSON")),
    ("POST", "/api/routes/x", ""): ((400, "Body not valid JSON"), (400, "Body not valid JSON")),
    # What no request could be sent to.
    ("POST", "/api/routes/x", '{"target": ""}'): ((201, ""), (400, "'target' must be")),
    ("POST", "/api/routes/x", '{"target": "127.0.0.1:9"}'): ((201, ""), (400, "'target' must be")),
    ("POST", "/api/routes/x", '{"target": "http+unix://%2Fx"}'): ((201, ""), (400, "'target' must be")),
    # Who has no token learns nothing more.
    ("PUT", "/api/routes", None): ((405, "Method not supported"), (403, "")),
    ("POST", "/api/routes/x", None): ((400, "Body not valid JSON"), (403, "")),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The ports of the two APIs, CHP's first."""
    folder = tmp_path_factory.mktemp("ours")
    public, api = free_port(), free_port()
    settings = {"http_address": "127.0.0.1", "http_port": public, "api_port": api}
    (folder / "proxy.json").write_text(json.dumps(settings))
    (folder / "token").write_text(TOKEN)
    command = [PROXY, "run", "--settings", folder / "proxy.json", "--token-file", folder / "token"]
    command += ["--state-dir", folder / "state"]
    try:
        with running_chp(free_port()) as (_, peer), running(command, stderr=subprocess.DEVNULL):
            wait_for_port(api)
            yield peer, api
    except Unavailable as reason:
        pytest.skip(str(reason))


def call(port, method, path, body):
    """Status, media type and body; JSON is read, and every time in it is the same."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Authorization": f"token {TOKEN}"} if body is not None else {}
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    text = re.sub(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"', '"TIME"', text)
    if answer.headers.get_content_type() == "application/json" and text:
        return answer.status, "json", json.loads(text)
    return answer.status, "text", text


def test_equal_requests_get_equal_answers(both):
    differing = []
    for given in CALLS:
        theirs, ours = (call(port, *given) for port in both)
        if theirs != ours:
            differing.append((given, theirs, ours))
    assert not differing, "\n".join(map(str, differing))
    assert len(CALLS) == 53


@pytest.mark.parametrize("given", DIFFERENT)
def test_what_differs_is_known(both, given):
    for port, (status, beginning) in zip(both, DIFFERENT[given], strict=True):
        answered, _, text = call(port, *given)
        call(port, "DELETE", "/api/routes/x", "")
        assert answered == status and text.startswith(beginning), (port, answered, text)
