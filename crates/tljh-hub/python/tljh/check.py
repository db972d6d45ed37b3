"""Loads the hub's configuration as JupyterHub would, and says what it cannot use; starts nothing.

``python -m tljh.check CONFIG_FILE`` prints a JSON list of ``{"key", "what", "severity"}``.
"""

import difflib
import importlib.metadata
import json
import os
import sys
import tempfile

from jupyterhub.app import JupyterHub
from traitlets import TraitError
from traitlets.config import Config, Configurable
from traitlets.config.loader import PyFileConfigLoader

from tljh.snippets import SnippetError, snippets_of

#: Groups of entry points whose classes a configuration may name, though another one is in use.
ENTRY_POINTS = ("jupyterhub.authenticators", "jupyterhub.spawners", "jupyterhub.proxies")
#: Traits of JupyterHub that choose a class, with the key of config.yaml that sets them.
CHOICES = {"authenticator_class": "auth.type", "spawner_class": "", "proxy_class": ""}
#: What a teacher calls the types of YAML.
WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", list: "a list", dict: "a mapping"}


def main(config_file):
    """Print what is wrong, and return the exit code."""
    with open(os.environ["TLJH_TRAITS"]) as rendered:
        traits = rendered.read()
    # What is printed while classes are imported and snippets run is no part of the answer.
    answer, sys.stdout = sys.stdout, sys.stderr
    problems = Problems()
    check(config_file, traits, problems)
    json.dump(problems.found, answer)
    answer.write("\n")
    return 0


class Problems:
    """What was found, each thing once."""

    def __init__(self):
        self.found = []

    def add(self, key, what, severity="error"):
        entry = {"key": key, "what": what, "severity": severity}
        if entry not in self.found:
            self.found.append(entry)


def check(config_file, traits, problems):
    """Load the configuration, then look at each class and trait in it."""
    settings = json.loads(traits)
    if not compile_snippets(settings["snippets"], problems):
        return
    config = load(config_file, traits, problems)
    if config is None:
        return
    known = classes_of(config, problems)
    for class_name, section in config.items():
        if isinstance(section, Config):
            # What config.yaml sets stands below `auth` there; a snippet writes `c.Class.trait`.
            prefix = "auth" if class_name in settings["traits"] else "c"
            check_section(f"{prefix}.{class_name}", section, known, problems)


def compile_snippets(folders, problems):
    """Whether every snippet is Python; all that are not are found at once."""
    found = len(problems.found)
    for folder in folders:
        for path in snippets_of(folder):
            try:
                with open(path, "rb") as file:
                    compile(file.read(), path, "exec")
            except (SyntaxError, ValueError, OSError) as error:
                problems.add("", str(SnippetError(path, error)))
    return len(problems.found) == found


def load(config_file, traits, problems):
    """The merged configuration, snippets included; None where one of them fails."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as copy:
        copy.write(traits)
        copy.flush()
        os.environ["TLJH_TRAITS"] = copy.name
        folder, name = os.path.split(config_file)
        try:
            return PyFileConfigLoader(name, folder).load_config()
        except SnippetError as error:
            problems.add("", str(error))
        # A plugin may raise anything.
        except BaseException as error:  # noqa: B902
            problems.add("", f"the hub's configuration fails: {type(error).__name__}: {error}")
        return None


def classes_of(config, problems):
    """Every configurable class by name: those in use, their ancestors, and those that could be chosen."""
    app = JupyterHub()
    chosen = list(app.classes)
    for trait, key in CHOICES.items():
        try:
            setattr(app, trait, config.JupyterHub.get(trait, getattr(app, trait)))
            chosen.append(getattr(app, trait))
        except (TraitError, ImportError, AttributeError) as error:
            problems.add(key, f"names no class that Python can import: {cause_of(error)}")
    for group in ENTRY_POINTS:
        for entry in importlib.metadata.entry_points(group=group):
            try:
                chosen.append(entry.load())
            # Optional parts of JupyterHub may lack what they need; nobody chose them.
            except Exception:  # noqa: B902
                continue
    known = {"JupyterHub": JupyterHub}
    for cls in chosen:
        for ancestor in getattr(cls, "__mro__", ()):
            if issubclass(ancestor, Configurable):
                known.setdefault(ancestor.__name__, ancestor)
    return known


def cause_of(error):
    """The first cause, which says what is missing."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return str(error)


def check_section(place, section, known, problems):
    """The traits of the class that `place` ends with."""
    class_name = place.rpartition(".")[2]
    cls = known.get(class_name)
    if cls is None:
        near = difflib.get_close_matches(class_name, known, 1)
        hint = f", did you mean `{near[0]}`?" if near else ""
        problems.add(place, f"is no class that the hub has{hint}", "warning")
        return
    traits = cls.class_traits(config=True)
    # Without __init__: nothing is opened, started or written.
    bare = cls.__new__(cls)
    for name, value in section.items():
        key = f"{place}.{name}"
        if cls is JupyterHub and name in CHOICES:
            continue
        if name not in traits:
            near = difflib.get_close_matches(name, traits, 1)
            hint = f", did you mean `{near[0]}`?" if near else ""
            # Python code may set what a class of its own reads.
            severity = "error" if place.startswith("auth.") else "warning"
            problems.add(key, f"is no setting of {class_name}{hint}", severity)
            continue
        try:
            with bare.hold_trait_notifications():
                value = value.get_value(traits[name].default(bare)) if hasattr(value, "get_value") else value
                traits[name]._validate(bare, value)
        except TraitError:
            # The error's own words hold the value, which may be a secret.
            problems.add(key, f"is {WORDS.get(type(value), type(value).__name__)}, wanted {traits[name].info()}")
        # A check that needs a running hub is no verdict.
        except Exception as error:  # noqa: B902
            problems.add(key, f"could not be checked: {type(error).__name__}", "warning")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
