"""Bills of materials are published beside the packages, and linked from the page."""

import json
import re


def bill_of(workshop, suite, name, version, text="{}"):
    path = workshop.debs / suite / f"{name}_{version}_amd64.cdx.json"
    path.write_text(text)
    return workshop.apt / "sbom" / suite / path.name


def test_bills_are_published_and_linked_for_the_newest_version(workshop):
    published = []
    for version in ("0.1.0", "0.2.0"):
        for name in ("tljh", "tljh-hub"):
            workshop.make_both(version, name)
            published += [bill_of(workshop, suite, name, version, json.dumps([suite, version]))
                          for suite in ("bookworm", "trixie")]
        workshop.build()
    assert all(path.exists() for path in published)
    page = (workshop.apt / "index.html").read_text()
    links = re.findall(r'href="(sbom/[^"]+)"', page)
    assert sorted(links) == sorted(f"sbom/{suite}/{name}_0.2.0_amd64.cdx.json"
                                   for suite in ("bookworm", "trixie") for name in ("tljh", "tljh-hub"))
    assert json.loads((workshop.apt / links[0]).read_text())[1] == "0.2.0"


def test_a_bill_follows_its_package(workshop):
    workshop.make_both("0.1.0")
    bill = bill_of(workshop, "trixie", "tljh", "0.1.0", "first")
    workshop.build()
    assert bill.read_text() == "first"
    bill_of(workshop, "trixie", "tljh", "0.1.0", "second")
    workshop.build()
    assert bill.read_text() == "second"
    (workshop.apt / "pool/trixie/tljh_0.1.0_amd64.deb").unlink()
    workshop.make_both("0.2.0")
    (workshop.debs / "trixie/tljh_0.1.0_amd64.deb").unlink()
    workshop.build()
    assert not bill.exists()


def test_packages_without_bills_are_published_as_before(published):
    assert not (published.apt / "sbom").exists()
    assert "CycloneDX" not in (published.apt / "index.html").read_text()
