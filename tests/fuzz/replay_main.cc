// Runs a fuzz target over every file of a corpus folder, so that a build without a fuzzer still
// tests what fuzzers have found.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "fuzz_target.h"

int main(int argument_count, char** arguments) {
    if (argument_count != 2) {
        std::fprintf(stderr, "usage: %s <corpus folder>\n", arguments[0]);
        return 2;
    }
    std::vector<std::filesystem::path> files;
    std::error_code error;
    std::filesystem::directory_iterator entry(arguments[1], error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        if (entry->is_regular_file()) files.push_back(entry->path());
    }
    if (error || files.empty()) {
        std::fprintf(stderr, "%s: no corpus there\n", arguments[1]);
        return 1;
    }
    std::sort(files.begin(), files.end());
    for (const std::filesystem::path& file : files) {
        std::ifstream in(file, std::ios::binary);
        if (!in) {
            std::fprintf(stderr, "%s: can't be read\n", file.c_str());
            return 1;
        }
        const std::string input{std::istreambuf_iterator<char>(in), {}};
        // The name comes first, so that the last line before an abort is the culprit.
        std::printf("%s, %zu bytes\n", file.filename().c_str(), input.size());
        std::fflush(stdout);
        // Memory of the exact length, so that a sanitizer sees a read past the end.
        const auto exact = std::make_unique<uint8_t[]>(input.size());
        std::copy(input.begin(), input.end(), exact.get());
        if (LLVMFuzzerTestOneInput(exact.get(), input.size()) != 0) return 1;
    }
    std::printf("%zu files replayed\n", files.size());
    return 0;
}
