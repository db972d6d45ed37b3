"""The first-use authenticator, during whose logins the hub goes on to answer others.

A password's hash takes a quarter of a second, and it is to: a class that logs in at once would keep everybody else waiting
for seconds. So it is computed beside the hub, for one login at a time, which leaves the hub a processor.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import firstuseauthenticator

from tljh.passwords import hash_password, is_password, remove_hash, replace_hash, store_hash, stored_hash

#: bcrypt computes without Python's lock.
HASHING = ThreadPoolExecutor(1, "hashing")


class FirstUseAuthenticator(firstuseauthenticator.FirstUseAuthenticator):
    """Under the name that configurations know."""

    async def authenticate(self, handler, data):
        name, password = self.normalize_username(data["username"]), data["password"]
        if not self.create_users and not self._user_exists(name):
            return None
        stored = stored_hash(self.dbm_path, name)
        if stored is None:
            if not self._validate_password(password):
                # Which says so.
                return await super().authenticate(handler, data)
            chosen = await self.beside(hash_password, password)
            stored = store_hash(self.dbm_path, name, chosen)
            if stored == chosen:
                return name
        return name if await self.beside(is_password, password, stored) else None

    def reset_password(self, username, new_password):
        if not self._validate_password(new_password):
            # Which says so.
            return super().reset_password(username, new_password)
        replace_hash(self.dbm_path, username, hash_password(new_password))
        self.log.info("%s has changed the password", username)
        return "Your password has been changed successfully!"

    def delete_user(self, user):
        remove_hash(self.dbm_path, user.name)

    @staticmethod
    async def beside(function, *arguments):
        return await asyncio.get_running_loop().run_in_executor(HASHING, function, *arguments)
