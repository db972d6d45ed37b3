"""What the package changes of the wheels that it brings (packaging/user-env/rework.py) is missed by nobody."""

SERVER = """
import sys
import jupyterhub.singleuser.app, jupyterhub.singleuser.extension
print(sorted({"alembic", "jupyterhub.orm", "sqlalchemy"} & set(sys.modules)))
"""
HUB = """
from jupyterhub import app, orm, roles, scopes
db = orm.new_session_factory("sqlite:///:memory:")()
for role in roles.get_default_roles():
    roles.create_role(db, role)
ann = orm.User(name="ann")
db.add(ann)
db.commit()
roles.assign_default_roles(db, ann)
print("read:users:name!user=ann" in scopes.get_scopes_for(ann))
"""


def test_a_server_imports_no_database(installation):
    assert installation.python(SERVER) == "[]"


def test_what_needs_the_database_imports_it(installation):
    assert installation.python(HUB) == "True"


def test_an_environment_has_no_files_of_the_hubs_pages_and_lacks_none_that_are_listed(installation):
    static = installation.link / "share/jupyterhub/static"
    assert (static / "css").is_dir() and not (static / "components").exists()
    installation.run("check")
