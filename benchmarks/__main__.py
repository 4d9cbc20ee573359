"""All benchmarks, one after the other: python -m benchmarks."""

from benchmarks import groups, peer, store

groups.main()
store.main()
peer.main()
