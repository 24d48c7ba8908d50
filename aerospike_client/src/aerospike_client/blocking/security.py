"""Users and roles, blocking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from aerospike_client.blocking.engine import Engine
from aerospike_client.policies import AdminPolicy
from aerospike_client.scripts import security
from aerospike_client.scripts.security import Privilege, Role, User
from aerospike_common.as_password import NO_PASSWORD
from aerospike_common.wire import AdminCommand, AdminField


class Security:
    """The part of the client that deals with users and roles. The server's refusals are
    SecurityFailed."""

    _engine: Engine

    def _admin_timeout(self, policy: AdminPolicy | None) -> int:
        return (policy or self._engine.settings.policy.admin).timeout

    def _admin(
        self, command: AdminCommand, fields: Mapping[int, bytes], policy: AdminPolicy | None
    ) -> None:
        timeout_ms = self._admin_timeout(policy)
        self._engine.run(security.command(self._engine.view, command, fields, timeout_ms))

    # ------------------------------------------------------------------ users

    def create_user(
        self,
        user: str,
        password: str,
        roles: Iterable[str] = (),
        policy: AdminPolicy | None = None,
    ) -> None:
        """Add a user."""
        fields = {
            **security.user_field(user),
            **security.password_field(password),
            **security.roles_field(roles),
        }
        self._admin(AdminCommand.CREATE_USER, fields, policy)

    def create_pki_user(
        self, user: str, roles: Iterable[str] = (), policy: AdminPolicy | None = None
    ) -> None:
        """Add a user who logs in with a certificate of this common name (`AuthMode.PKI`), and has
        no password."""
        self.create_user(user, NO_PASSWORD, roles, policy)

    def drop_user(self, user: str, policy: AdminPolicy | None = None) -> None:
        """Remove a user."""
        self._admin(AdminCommand.DROP_USER, security.user_field(user), policy)

    def set_password(self, user: str, password: str, policy: AdminPolicy | None = None) -> None:
        """Give another user a password."""
        fields = {**security.user_field(user), **security.password_field(password)}
        self._admin(AdminCommand.SET_PASSWORD, fields, policy)

    def change_password(
        self, user: str, old: str, new: str, policy: AdminPolicy | None = None
    ) -> None:
        """Change one's own password; this client goes on with the new one."""
        fields = {
            **security.user_field(user),
            **security.password_field(old, AdminField.OLD_PASSWORD),
            **security.password_field(new),
        }
        self._admin(AdminCommand.CHANGE_PASSWORD, fields, policy)
        sessions = self._engine.settings.sessions
        if sessions is not None and sessions.user == user:
            sessions.change_password(new)
            for node in self._engine.view.active_nodes():
                self._engine.pools.end_session(node)  # the servers close those connections

    def grant_roles(
        self, user: str, roles: Iterable[str], policy: AdminPolicy | None = None
    ) -> None:
        """Add roles to a user's."""
        fields = {**security.user_field(user), **security.roles_field(roles)}
        self._admin(AdminCommand.GRANT_ROLES, fields, policy)

    def revoke_roles(
        self, user: str, roles: Iterable[str], policy: AdminPolicy | None = None
    ) -> None:
        """Take roles from a user's."""
        fields = {**security.user_field(user), **security.roles_field(roles)}
        self._admin(AdminCommand.REVOKE_ROLES, fields, policy)

    def users(self, name: str | None = None, policy: AdminPolicy | None = None) -> list[User]:
        """All users, or the one of that name."""
        timeout_ms = self._admin_timeout(policy)
        return self._engine.run(security.users(self._engine.view, name, timeout_ms))

    # ------------------------------------------------------------------ roles

    def create_role(
        self,
        role: str,
        privileges: Sequence[Privilege] = (),
        whitelist: Iterable[str] = (),
        read_quota: int = 0,
        write_quota: int = 0,
        policy: AdminPolicy | None = None,
    ) -> None:
        """Add a role. Quotas are records a second, 0 any number."""
        fields = security.role_field(role)
        if privileges:
            fields |= security.privileges_field(privileges)
        fields |= security.whitelist_field(whitelist)
        if read_quota or write_quota:
            fields |= security.quota_fields(read_quota, write_quota)
        self._admin(AdminCommand.CREATE_ROLE, fields, policy)

    def drop_role(self, role: str, policy: AdminPolicy | None = None) -> None:
        """Remove a role."""
        self._admin(AdminCommand.DROP_ROLE, security.role_field(role), policy)

    def grant_privileges(
        self, role: str, privileges: Sequence[Privilege], policy: AdminPolicy | None = None
    ) -> None:
        """Add privileges to a role's."""
        fields = {**security.role_field(role), **security.privileges_field(privileges)}
        self._admin(AdminCommand.GRANT_PRIVILEGES, fields, policy)

    def revoke_privileges(
        self, role: str, privileges: Sequence[Privilege], policy: AdminPolicy | None = None
    ) -> None:
        """Take privileges from a role's."""
        fields = {**security.role_field(role), **security.privileges_field(privileges)}
        self._admin(AdminCommand.REVOKE_PRIVILEGES, fields, policy)

    def set_whitelist(
        self, role: str, whitelist: Iterable[str], policy: AdminPolicy | None = None
    ) -> None:
        """Where a role's users may come from; nothing = from anywhere."""
        fields = {**security.role_field(role), **security.whitelist_field(whitelist)}
        self._admin(AdminCommand.SET_WHITELIST, fields, policy)

    def set_quotas(
        self, role: str, read_quota: int, write_quota: int, policy: AdminPolicy | None = None
    ) -> None:
        """How many records a second a role's users may read and write; 0 = any number."""
        fields = {**security.role_field(role), **security.quota_fields(read_quota, write_quota)}
        self._admin(AdminCommand.SET_QUOTAS, fields, policy)

    def roles(self, name: str | None = None, policy: AdminPolicy | None = None) -> list[Role]:
        """All roles, or the one of that name."""
        timeout_ms = self._admin_timeout(policy)
        return self._engine.run(security.roles(self._engine.view, name, timeout_ms))
