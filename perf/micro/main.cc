// The runner of all micro benchmarks: `micro --benchmark_filter=fanout`; see --help.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
