"""What happens once somebody has logged in."""

import os


def after_login(initial_password):
    """A ``post_auth_hook``: the file ``initial_password``, which the installation made, is for one login of an administrator."""

    def hook(authenticator, handler, authentication):
        if not authentication:
            return authentication
        if authentication["name"] in authenticator.admin_users and os.path.exists(initial_password):
            os.unlink(initial_password)
            authenticator.log.info("%s has logged in; removed %s", authentication["name"], initial_password)
        return authentication

    return hook
