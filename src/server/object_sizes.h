// How large the objects of a running server are in this build: what a memory bill is made of.
// Owned by: values. Thread: any.
// Not here: the bill (budget.h), which knows no broker and no TCP.
#pragma once

#include "server/budget.h"

namespace millrace {

ObjectSizes object_sizes();

}  // namespace millrace
