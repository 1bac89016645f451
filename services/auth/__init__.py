"""Who may come in: users, invitations, logins, sessions, levels, and the keys that prove it."""
