module paceline.dev/bench/no-op-extender

go 1.26
