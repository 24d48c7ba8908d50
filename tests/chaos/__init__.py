"""Chaos: real nodes under load, faults by plan, and a check of everything that was promised.

How a run goes
--------------
A run is a sequence of *laps* on one cluster of three `asd` processes (`ground`). In each lap
writers in processes of their own (`writers`), through the official client, both faces of our own
and bare sockets (`hands`), write and read records of this lap (`workloads`), and note every
operation with its time and its answer (`history`). Meanwhile faults happen (`faults`) as a seeded
plan says (`plan`): one at a time in the first half of the run, then several together. At the lap's
end all is healed and at rest. Then every node is cut off from all others, and a node that is alone
serves just what it holds: a scan of each is what its copies are, record by record, and a query by
index what its index has (`holdings`).

What is checked (`check`, `holdings`)
----------------------------------------
- Nothing that was acknowledged is lost: by the order of time, and by generations, which only rise
  while copies live. Nothing is there that nobody wrote, or that was surely refused.
- Copies are alike, and just where the partition map says.
- Deleted durably, expired, truncated: gone for good.
- Reads are not older than what had been acknowledged before they began.
- Each node's index has an entry for every record it should, and no other.
- Queries give every record that was there throughout once.
- What our own client says of a failure is true: what it reports refused is not there, and its
  errors name node, tries and, where nobody answered, the partition.
- Planned departures cost no operation; a pause shorter than the timeout is nothing.

What is excused, because availability mode does not promise it (`windows`)
--------------------------------------------------------------------------
While nodes serve apart (a split, or a node that starts alone) writes on both sides are acknowledged
and the conflict rule keeps one side's. And a namespace whose nodes forget when they die, may lose
what was written before a node died while the cluster was not at rest from the fault before.
Both are found out from what the nodes' logs say of their clusters, not from what was intended: a
node that is starved of processor may be missed, and what follows is counted by its own name.
"""
