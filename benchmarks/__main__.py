"""All benchmarks, one after the other: python -m benchmarks."""

from benchmarks import compression, groups, peer, store

groups.main()
store.main()
peer.main()
compression.main()
