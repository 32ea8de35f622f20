// Addresses from their text, and the MAC addresses of numbered hosts.
// Owned by: nobody; values. Thread: any.
#pragma once

#include <cstdint>

#include "wire/addresses.h"

namespace millrace::test {

inline MacAddress mac_of(uint8_t number) { return {{0x02, 0, 0, 0, 0, number}}; }

}  // namespace millrace::test
