// The version of the library.
#pragma once

#define MILLRACE_VERSION "0.1.0"
