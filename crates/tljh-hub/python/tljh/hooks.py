"""Hook points that TLJH plugins implement, under upstream's names (entry point group ``tljh``).

A plugin is a Python package in the hub's environment that marks functions with :data:`hookimpl`.
"""

import pluggy

hookspec = pluggy.HookspecMarker("tljh")
hookimpl = pluggy.HookimplMarker("tljh")


class Hooks:
    """The hooks that are called while the hub runs."""

    @hookspec
    def tljh_custom_jupyterhub_config(self, c):
        """Change the hub's configuration ``c``; called at every start, before the administrator's snippets."""

    @hookspec
    def tljh_new_user_create(self, username):
        """Called once after the account ``username`` was made."""


def plugin_manager():
    """The plugins that are installed in the hub's environment."""
    manager = pluggy.PluginManager("tljh")
    manager.add_hookspecs(Hooks)
    manager.load_setuptools_entrypoints("tljh")
    return manager
