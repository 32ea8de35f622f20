#include "admin/api/document_routes.h"

namespace millrace {

std::vector<Route> document_routes() {
    std::vector<Route> routes;
    routes.push_back({"GET", "/api/v1/openapi.json", {}, {}, [](const ApiCall&) {
        return AdminResponse{200, "application/json", std::string(api_document()), {}};
    }});
    return routes;
}

}  // namespace millrace
