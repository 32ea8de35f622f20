// Checking UTF-8 (RFC 3629) for strings and payloads.
// Owned by: nothing is kept. Thread: any.
// Not here: is_valid_utf8 for MQTT strings, which refuse U+0000 too (topic_name.h).
#pragma once

#include "base/bytes.h"

namespace millrace::mqtt {

// Well-formed UTF-8 for a payload that says it is text (3.3.2.3.2): U+0000 may stand in it.
bool is_well_formed_utf8(Bytes payload);

}  // namespace millrace::mqtt
