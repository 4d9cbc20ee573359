"""All benchmarks, one after the other: python -m benchmarks."""

from benchmarks import compression, groups, load, model, peer, scale, sets, store, streaming

groups.main()
store.main()
sets.main()
model.main()
load.main()
streaming.main()
scale.main()
peer.main()
compression.main()
