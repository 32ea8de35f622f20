// The whole public API.
#pragma once

#include "millrace/config.h"
#include "millrace/error.h"
#include "millrace/log.h"
#include "millrace/server.h"
#include "millrace/stats.h"
#include "millrace/version.h"
