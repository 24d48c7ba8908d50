"""Who is there: heartbeat over mesh or multicast, cliques, and paxos on the succession list."""
