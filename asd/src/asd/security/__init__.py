"""Who may do what: users, roles, sessions, quotas, the audit log. See `docs/security.md`."""
