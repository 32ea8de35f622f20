// The entry of a fuzz target: libFuzzer calls it, and so does replay_main.cc over a corpus folder.
// Owned by: one process, one target. Thread: one.
// Holds:    it returns 0 for every input; a property that doesn't hold asserts.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
