"""What must hold of histories of clients, and of nodes at rest."""
