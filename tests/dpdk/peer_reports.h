// Lines of JSON that stack_peer prints.
// Owned by: nobody. On the shard's thread.
#pragma once

#include <string>
#include <string_view>

#include "stack/stack_transport.h"

namespace millrace::test {

void print_line(const std::string& line);
void report_error(std::string_view message);
// What the TCP engine and the link have counted, all names as in their headers.
std::string counters_line(StackTransport& net);

}  // namespace millrace::test
