"""All benchmarks, one after the other: python -m benchmarks."""

from benchmarks import groups, model, peer, store

groups.main()
store.main()
model.main()
peer.main()
