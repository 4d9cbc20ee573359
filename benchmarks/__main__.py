"""All benchmarks, one after the other: python -m benchmarks."""

from benchmarks import compression, groups, model, peer, store

groups.main()
store.main()
model.main()
peer.main()
compression.main()
