// The document that says what there is to be asked: src/admin/openapi.json, kept by hand and built in.
// Owned by: nobody; constant data. Thread: any.
// Holds:    it names every route with its parameters and members, and nothing else (tests/admin).
#pragma once

#include <string_view>
#include <vector>

#include "admin/api/routes.h"

namespace millrace {

// OpenAPI 3.0.3.
std::string_view api_document();

std::vector<Route> document_routes();

}  // namespace millrace
