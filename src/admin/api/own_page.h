// Whether a request without a token comes from a person or program of this host, or from a page of
// somebody else's in a browser here (DNS rebinding, cross-site requests).
// Owned by: nobody; functions. Thread: any.
// Source:   RFC 9110, 7.2 (Host); RFC 6454, 7 (Origin).
#pragma once

#include <optional>

#include "admin/api/error.h"
#include "admin/request.h"

namespace millrace {

// A name other than "localhost" in Host may be anybody's that leads here; an address can't lie. A
// page from elsewhere that sends something has another Origin than Host. Programs send none.
std::optional<ApiError> check_own_page(const AdminRequest& request);

}  // namespace millrace
