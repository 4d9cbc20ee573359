"""All benchmarks, one after the other: python -m benchmarks."""

from benchmarks import compression, groups, load, peer, scale, store

groups.main()
store.main()
load.main()
scale.main()
peer.main()
compression.main()
