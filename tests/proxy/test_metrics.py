"""The proxy's figures, read by Prometheus's own client, and the page that tells what they are."""

import http.client
import json
import re
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.bench.peers import TOKEN, running, wait_for_port
from tests.proxy.programs import PROXY, ROOT, free_ports


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    """The public port and that of the API."""
    folder = tmp_path_factory.mktemp("metrics")
    public, api = free_ports(2)
    settings = {"http_address": "127.0.0.1", "http_port": public, "api_port": api, "hub_wait": 0}
    (folder / "proxy.json").write_text(json.dumps(settings))
    (folder / "token").write_text(TOKEN)
    command = [PROXY, "run", "--settings", folder / "proxy.json", "--token-file", folder / "token"]
    with running([*command, "--state-dir", folder / "state"], stderr=subprocess.DEVNULL):
        wait_for_port(api)
        yield public, api


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def scrape(api):
    """The families by the names that they have in the text."""
    answer, text = get(api, "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {family.name + ("_total" if family.type == "counter" else ""): family
            for family in text_string_to_metric_families(text)}


def value(families, name, **labels):
    [found] = [sample.value for sample in families[name].samples if sample.labels == labels]
    return found


def test_the_figures_are_what_prometheus_reads(ports):
    families = scrape(ports[1])
    for name, family in families.items():
        assert family.documentation and family.samples, name
        assert family.type in ("counter", "gauge", "histogram"), name
        assert name.startswith(("tljh_proxy_", "process_")), name


def test_they_count_what_was_asked(ports):
    public, api = ports
    before = scrape(api)
    for _ in range(7):
        assert get(public, "/nobody/knows?token=s3cret")[0].status == 503
    after = scrape(api)
    for name, labels, difference in [
        ("tljh_proxy_requests_total", {"upstream": "none", "code": "5xx"}, 7),
        ("tljh_proxy_requests_total", {"upstream": "hub", "code": "2xx"}, 0),
        ("tljh_proxy_connections_total", {"protocol": "http"}, 7),
    ]:
        assert value(after, name, **labels) - value(before, name, **labels) == difference, (name, labels)
    buckets = [sample for sample in after["tljh_proxy_request_duration_seconds"].samples
               if sample.name.endswith("_bucket") and sample.labels["upstream"] == "none"]
    counts = [sample.value for sample in buckets]
    assert counts == sorted(counts) and buckets[-1].labels["le"] == "+Inf" and counts[-1] >= 7


def test_the_page_about_the_proxy_tells_of_each(ports):
    told = set(re.findall(r"`((?:tljh_proxy|process)_\w+)", (ROOT / "docs/proxy.md").read_text()))
    shown = set(scrape(ports[1]))
    # Only a proxy with a certificate has it.
    assert told - shown == {"tljh_proxy_certificate_expiry_timestamp_seconds"}
    assert shown - told == set()
