"""Another builder, elsewhere and later, gets the same packages to the bit."""

import shutil
import subprocess

from tests.machines.places import DIST, suites
from tests.package.debs import NAMES
from tests.reproducible.compare import difference, shorten
from tests.reproducible.elsewhere import first_build


def compare(first, second, suite, found):
    told = difference(first, second)
    found(f"{'different' if told else 'identical'}  {suite}  {first.name}")
    if told:
        (DIST / "logs").mkdir(exist_ok=True)
        (DIST / "logs" / f"{first.name}.diffoscope").write_text(told)
    assert told == "", "\n" + shorten(told)


def test_each_package_is_identical_to_the_bit(second, suite, package, found):
    compare(first_build(suite)[package], second.debs(suite)[package], suite, found)


def test_each_bill_of_materials_is_identical_to_the_bit(second, suite, package, found):
    bills = [debs[package].with_suffix(".cdx.json") for debs in (first_build(suite), second.debs(suite))]
    compare(*bills, suite, found)


def test_the_second_build_packed_each_package_itself(second):
    assert len(list((second.cache / "debs").glob("*.deb"))) == len(NAMES) * len(suites())


def test_a_file_of_another_second_would_be_told(tmp_path):
    subprocess.run(["dpkg-deb", "-R", first_build(suites()[0])["tljh-archive-keyring"], tmp_path / "tree"], check=True)

    def pack(name):
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tmp_path / "tree", tmp_path / name], check=True,
                       stdout=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": "2000000000"})
        return tmp_path / name

    first = pack("first.deb")
    assert difference(first, pack("again.deb")) == ""
    changed = tmp_path / "tree/usr/share/keyrings/tljh-archive-keyring.gpg"
    subprocess.run(["touch", "--date=@981158401", changed], check=True)
    assert changed.name in difference(first, pack("second.deb"))
    shutil.copyfile(first, tmp_path / "one-more-byte.deb")
    with open(tmp_path / "one-more-byte.deb", "ab") as file:
        file.write(b"\n")
    assert difference(first, tmp_path / "one-more-byte.deb") != ""
