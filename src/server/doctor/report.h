// Findings and facts as text for people and as JSON for programs.
// Owned by: values. Thread: any.
// Not here: what was found (judge.h).
#pragma once

#include <string>
#include <vector>

#include "server/doctor/judge.h"

namespace millrace::doctor {

// The host in a line, each finding with its fields, and a sum. Ends with a newline.
std::string render_text(const Subject& subject, const std::vector<Finding>& findings);

// One line: {"findings":[{id, severity, what, found, wanted, cost, mend}], "facts":{...}}, with a
// newline behind it. A fact that isn't known is null or an empty list or text.
std::string render_json(const Subject& subject, const std::vector<Finding>& findings);

}  // namespace millrace::doctor
