// All metrics of a server as one page.
// Owned by: functions; the admin thread.
// Holds:    it reads counters with relaxed loads and touches nothing else of a shard. The page grows
//           with shards and memory classes alone: no label has a value that a client chose.
#pragma once

#include <string>

#include "admin/exposition.h"
#include "admin/process_figures.h"
#include "admin/subject.h"

namespace millrace {

std::string render_metrics(const AdminSubject& subject, const ProcessFigures& process,
                           ExpositionFormat format);

}  // namespace millrace
