"""The password that the installation made is for one login."""

import os


def forget_initial_password(path):
    """A ``post_auth_hook`` that removes the file ``path`` once an administrator has logged in."""

    def hook(authenticator, handler, authentication):
        if authentication and authentication["name"] in authenticator.admin_users and os.path.exists(path):
            os.unlink(path)
            authenticator.log.info("%s has logged in; removed %s", authentication["name"], path)
        return authentication

    return hook
